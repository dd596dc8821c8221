/**
 * Another process of one application: it shares the database, writes once as the account when it is told to, and tells how that went.
 * Node runs it from source: it strips the types here, and swc compiles what it imports.
 */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';

export interface SessionProcessInput {
  readonly plcUrl: string;
  readonly pdsUrl: string;
  readonly clientMetadata: object;
  readonly database: object;
  readonly encryptionKey: string;
  readonly did: string;
  readonly collection: string;
}

registerHooks({
  resolve(specifier, context, next) {
    const source = specifier.startsWith('.') ? specifier.replace(/\.js$/, '.ts') : specifier;
    const exists = source !== specifier && existsSync(new URL(source, context.parentURL));
    return next(exists ? source : specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts') || url === import.meta.url) return next(url, context);
    const { code } = transformFileSync(fileURLToPath(url), {
      swcrc: false,
      jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true } },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});

const input = JSON.parse(process.argv[2] ?? '{}') as SessionProcessInput;
const { DataSource } = await import('typeorm');
const { AtpOAuthService } = await import('../../lib/sessions/oauth/atp-oauth.service.js');
const { databaseOAuthStores } = await import('../../lib/sessions/oauth/database/database-oauth-stores.js');
const { parityOAuthEntities } = await import('../../lib/sessions/oauth/database/parity-oauth-entities.js');

const dataSource = await new DataSource({
  ...(input.database as ConstructorParameters<typeof DataSource>[0]),
  entities: parityOAuthEntities,
  synchronize: false,
}).initialize();
const silent = () => undefined;
const oauth = new AtpOAuthService({
  clientMetadata: input.clientMetadata as never,
  plcDirectoryUrl: input.plcUrl,
  handleResolver: input.pdsUrl,
  allowHttp: true,
  events: { emit: silent } as never,
  logger: { debug: silent, log: silent, warn: silent, error: silent },
  ...databaseOAuthStores(dataSource, { encryptionKeys: [input.encryptionKey] }),
});
const { did, collection } = input;
// Warm: what is left to do at the signal is the write itself, and the refresh that it needs.
await oauth.agentFor(did);

process.on('message', () => {
  void (async () => {
    try {
      const agent = await oauth.agentFor(did);
      const record = { $type: collection, at: Date.now() };
      await agent.com.atproto.repo.createRecord({ repo: did, collection, record });
      process.send?.('written');
    } catch (error) {
      process.send?.(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    await oauth.close();
    await dataSource.destroy();
    process.disconnect();
  })();
});
process.send?.('ready');
