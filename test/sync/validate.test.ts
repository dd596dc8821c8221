import { answer } from '../support/fault-proxy.js';
import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

const APPLY = 'com.atproto.repo.applyWrites';

let alice: NoteNetwork;
beforeAll(async () => {
  alice = await NoteNetwork.start();
});
afterAll(() => alice?.stop());

describe('sync.validate', () => {
  it.each([
    ['true: the PDS refuses a record whose lexicon it does not know', true, false],
    ['false: the PDS checks nothing', false, true],
    ['undefined: it is left to the PDS, which takes what it does not know', undefined, true],
  ])('%s', async (_rule, validate, published) => {
    const app = await alice.app(validate === undefined ? {} : { sync: { validate } });
    alice.proxy.reset();
    const note = await app.repository(Bold).save(alice.note(Bold, 'hello'));
    expect(note.hasAtpRecord()).toBe(published);
    const sent = alice.proxy.log.filter(({ nsid }) => nsid === APPLY).map(({ body }) => body as object);
    expect(sent.length).toBeGreaterThan(0);
    for (const body of sent) {
      expect((body as { validate?: boolean }).validate).toBe(validate);
      expect('validate' in body).toBe(validate !== undefined);
    }
    expect((await note.publish()).status).toBe(published ? 'unchanged' : 'failed');
  });

  it('a PDS that answers HTML: the row survives, the error names what to check', async () => {
    const app = await alice.app();
    alice.proxy.fault(APPLY, answer(502, '<!doctype html><title>Bad gateway</title>'), 20);
    const note = await app.repository(Bold).save(alice.note(Bold, 'through a gateway'));
    expect(await app.repository(Bold).findOneByOrFail({ id: note.id })).toMatchObject({ atpUri: null });
    expect(app.log.lines).toEqual([
      expect.stringMatching(/publish of Bold \d+ failed: The PDS .* no XRPC response .*check its address/),
    ]);
    expect(app.log.lines[0]).not.toContain('gateway</title>');
    alice.proxy.reset();
    expect((await note.publish()).status).toBe('published');
  });
});
