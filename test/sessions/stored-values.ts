import { randomBytes } from 'node:crypto';
import { JoseKey, type NodeSavedSession, type NodeSavedState } from '@atproto/oauth-client-node';

const dpopJwk = (await JoseKey.generate(['ES256'])).privateJwk!;

export const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';
export const SECRETS = [
  'the-access-token',
  'the-refresh-token',
  'the-verifier',
  String((dpopJwk as { d?: string }).d),
];

export const aKey = (): string => randomBytes(32).toString('base64');

export function aState(overrides: Partial<NodeSavedState> = {}): NodeSavedState {
  return {
    iss: 'https://pds.test',
    dpopJwk,
    authMethod: { method: 'none' },
    verifier: 'the-verifier',
    ...overrides,
  } as NodeSavedState;
}

export function aSession(did = DID, refresh_token = 'the-refresh-token'): NodeSavedSession {
  return {
    dpopJwk,
    authMethod: { method: 'none' },
    tokenSet: {
      iss: 'https://pds.test',
      sub: did,
      aud: 'https://pds.test',
      scope: 'atproto',
      access_token: 'the-access-token',
      refresh_token,
      token_type: 'DPoP',
    },
  } as NodeSavedSession;
}
