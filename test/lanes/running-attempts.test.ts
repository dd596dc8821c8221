import { RunningAttempts } from '../../lib/lanes/running-attempts.js';
import { SettledVersions } from '../../lib/sync/settled-versions.js';

const DID = 'did:plc:alice';

it('an account is written for until the last of its attempts has ended, though one of them fails', async () => {
  const versions = new SettledVersions();
  const running = new RunningAttempts(versions);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const failing = running.track(DID, () => first.promise);
  const other = running.track(DID, () => second.promise);
  first.reject(new Error('no'));
  await expect(failing).rejects.toThrow('no');
  expect([running.isRunning(DID), versions.now]).toEqual([true, 1]);
  second.resolve();
  await other;
  expect([running.isRunning(DID), versions.now]).toEqual([false, 2]);
});
