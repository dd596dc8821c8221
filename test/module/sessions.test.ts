import { Injectable, Module } from '@nestjs/common';
import type { Agent } from '@atproto/api';
import { AtpOAuthService, ParityModule, ParityOptionsError, SessionProvider } from 'nestjs-parity';
import type { ParityModuleOptions } from 'nestjs-parity';
import { Applications, NoSessions } from '../support/applications.js';
import { DID, NoteMapper } from '../support/entities/note.js';

const apps = new Applications();
const start = (options: ParityModuleOptions, ...modules: Function[]) =>
  apps.start({
    parity: [
      ParityModule.forRoot({ ...options, mappers: [NoteMapper] }),
      ...(modules as (new () => object)[]),
    ],
  });

@Injectable()
class Vault {
  readonly name = 'vault';
}
@Injectable()
class VaultSessions extends SessionProvider {
  constructor(private readonly vault: Vault) {
    super();
  }
  override async agentFor(did: string): Promise<Agent> {
    throw new Error(`${this.vault.name} has nothing for ${did}`);
  }
  override async sessionId(did: string): Promise<string> {
    return `${this.vault.name} ${did}`;
  }
}
@Module({
  providers: [
    VaultSessions,
    { provide: Vault, useFactory: () => new Promise((resolve) => setTimeout(resolve, 20, new Vault())) },
    { provide: 'SESSIONS', useExisting: VaultSessions },
  ],
})
class VaultModule {}

describe('sessions come from', () => {
  it('a class, which is instantiated with injection', async () => {
    @Module({ providers: [Vault], exports: [Vault] })
    class OnlyVault {}
    const parity = ParityModule.forRoot({
      sessions: VaultSessions,
      mappers: [NoteMapper],
      imports: [OnlyVault],
    });
    const app = await apps.start({ parity: [parity] });
    await expect(app.get(SessionProvider).agentFor(DID)).rejects.toThrow('vault has nothing');
  });

  it('an instance, which is used as it is', async () => {
    const sessions = new NoSessions();
    expect((await start({ sessions })).get(SessionProvider)).toBe(sessions);
  });

  it.each([
    ['class', VaultSessions],
    ['string', 'SESSIONS'],
  ])('a provider that exists, by its %s, wherever and whenever it is made', async (_kind, useExisting) => {
    const sessions = (await start({ sessions: { useExisting } }, VaultModule)).get(SessionProvider);
    await expect(sessions.agentFor(DID)).rejects.toThrow('vault has nothing');
    expect(await sessions.sessionId?.(DID)).toBe(`vault ${DID}`);
  });

  it('an existing provider that names no sessions, which then stays so', async () => {
    @Module({ providers: [NoSessions] })
    class SessionsModule {}
    const app = await start({ sessions: { useExisting: NoSessions } }, SessionsModule);
    expect(app.get(SessionProvider).sessionId).toBeUndefined();
  });

  it('oauth, whose service is then injectable', async () => {
    const app = await start({
      oauth: {
        clientMetadata: {
          client_id: 'http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcallback&scope=atproto',
          redirect_uris: ['http://127.0.0.1:3000/callback'],
          scope: 'atproto',
          dpop_bound_access_tokens: true,
          token_endpoint_auth_method: 'none',
          application_type: 'native',
        },
      } as NonNullable<ParityModuleOptions['oauth']>,
    });
    expect(app.get(SessionProvider)).toBeInstanceOf(AtpOAuthService);
    expect(app.get(AtpOAuthService)).toBe(app.get(SessionProvider));
  });
});

describe('start-up is refused', () => {
  it.each<[string, ParityModuleOptions, RegExp]>([
    ['without sessions and oauth', {}, /either oauth: .* or sessions: a SessionProvider/],
    [
      'with both sessions and oauth',
      { sessions: NoSessions, oauth: {} as NonNullable<ParityModuleOptions['oauth']> },
      /Both oauth and sessions are given/,
    ],
    [
      'when sessions is nothing that gives agents',
      { sessions: { password: 'x' } as unknown as SessionProvider },
      /sessions .*agentFor/,
    ],
    [
      'when useExisting names no provider',
      { sessions: { useExisting: 'NOBODY' } },
      /no provider 'NOBODY'.*add it to the providers/,
    ],
  ])('%s', async (_rule, options, message) => {
    const error: unknown = await start(options).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ParityOptionsError);
    expect((error as Error).message).toMatch(message);
  });
});
