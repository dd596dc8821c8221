import { publishOne } from './publish-one.js';

it('publishes what is saved', async () => {
  const { uri, sharesApi } = await publishOne();
  expect(uri).toMatch(/^at:\/\/did:plc:[a-z0-9]+\/app\.bsky\.feed\.post\/[a-z2-7]+$/);
  expect(sharesApi).toBe(true);
}, 60_000);
