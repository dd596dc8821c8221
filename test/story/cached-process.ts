/**
 * An application with pending syncs in Redis, in a process of its own. It saves a note, or finds the changes
 * that an earlier process left.
 */
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { ParityService } from 'nestjs-parity';
import { DataSource } from 'typeorm';
import { notebookApplication } from '../kill/notebook-application.js';
import { Note, Owner } from '../support/entities/notebook.js';
import { redisKeyv } from '../support/redis.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

export interface CachedProcessInput {
  readonly pdsUrl: string;
  readonly database: object;
  readonly account: { readonly did: string; readonly password: string };
  readonly namespace: string;
  /** null: works until nothing is pending, and ends by itself. */
  readonly text: string | null;
}

const input = JSON.parse(process.argv[2] ?? '{}') as CachedProcessInput;
const { did, password } = input.account;
const cache = redisKeyv(input.namespace);
const app = await notebookApplication(input.database as TypeOrmModuleOptions, {
  sessions: passwordsOf(input.pdsUrl, { did, password }),
  pendingSyncs: { enabled: true, storage: 'cache', cache },
});
if (input.text === null) await until(async () => !(await app.get(ParityService).hasPendingSyncs(did)));
else {
  const { manager } = app.get(DataSource);
  const user = await manager.findOneByOrFail(Owner, { did });
  await manager.save(manager.create(Note, { text: input.text, user }));
}
await app.close();
await cache.disconnect();
process.disconnect?.();
process.exit(0);
