import { SettledVersions } from '../../lib/sync/settled-versions.js';

describe('the versions of accounts', () => {
  it('rise for the account that was worked on, and for no other account account', () => {
    const versions = new SettledVersions();
    versions.raise('did:plc:one');
    const since = versions.now;
    versions.raise('did:plc:other');
    expect(versions.of('did:plc:one') <= since).toBe(true);
    expect(versions.of('did:plc:other') <= since).toBe(false);
    expect(versions.of('did:plc:never') <= since).toBe(true);
  });

  it('never claim that an account which is no longer remembered was not worked on', () => {
    const versions = new SettledVersions();
    versions.raise('did:plc:old');
    const { now } = versions;
    for (let count = 0; count < 10_001; count++) versions.raise(`did:plc:${count}`);
    expect(versions.of('did:plc:old')).toBeGreaterThanOrEqual(now);
    expect(versions.of('did:plc:10000')).toBe(versions.now);
  });
});
