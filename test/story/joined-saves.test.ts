import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';
import type { ParityApp } from '../support/parity-app.js';

describe('saves that join the transaction of another one (SQLite, database storage)', () => {
  let notes: NoteNetwork;
  let app: ParityApp;
  beforeAll(async () => {
    notes = await NoteNetwork.start();
    app = await notes.app({}, { storage: 'database' });
  });
  afterAll(() => notes?.stop());

  it('publishes an edit that is saved together with a new row', async () => {
    const bolds = app.repository(Bold);
    for (let round = 0; round < 8; round++) {
      const edited = await bolds.save(notes.note(Bold, `before ${round}`));
      edited.text = `edited ${round}`;
      const fresh = notes.note(Bold, `fresh ${round}`);
      await Promise.all([bolds.save(edited), bolds.save(fresh)]);
      expect(await notes.text(edited.getAtpUri())).toBe(`edited ${round}`);
      expect(await notes.text(fresh.getAtpUri())).toBe(`fresh ${round}`);
      expect(await app.parity.countPendingSyncs(notes.account.did)).toBe(0);
    }
  });
});
