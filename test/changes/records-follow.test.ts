import type { Repository } from 'typeorm';
import { RecordUnpublished, SyncFailed } from 'nestjs-parity';
import type { ParityApp } from '../support/parity-app.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { Fragile, Profile, Rumour, Story, StoryNetwork } from './stories.js';

let net: StoryNetwork;

beforeAll(async () => {
  net = await StoryNetwork.start();
});
afterAll(() => net?.stop());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`records follow their entities (${kind})`, () => {
    let app: ParityApp;
    let stories: Repository<Story>;
    let rumours: Repository<Rumour>;

    beforeAll(async () => {
      app = await net.app(kind);
      stories = app.repository(Story);
      rumours = app.repository(Rumour);
    });
    afterAll(() => app?.stop());
    beforeEach(() => {
      net.proxy.reset();
      app.taken(SyncFailed);
      app.log.lines.splice(0);
    });

    const story = (values: Partial<Story> = {}): Story =>
      Object.assign(new Story(), { did: net.alice.did, text: 'Once' }, values);
    const rumour = (values: Partial<Rumour> = {}): Rumour =>
      Object.assign(new Rumour(), { did: net.alice.did, text: 'Psst' }, values);

    it('publishes a draft when it becomes public', async () => {
      const draft = await stories.save(story({ isPublic: false }));
      expect([draft.hasAtpRecord(), net.proxy.calls]).toEqual([false, []]);
      draft.isPublic = true;
      await stories.save(draft);
      expect(draft.getAtpRkey()).toBe(draft.atpRkey);
      expect(await net.text(draft.atpUri)).toBe('Once');
    });

    it("keeps or unpublishes the record of an entity that is no longer eligible, as 'whenNotEligible' says", async () => {
      const kept = await stories.save(story());
      await stories.save(Object.assign(kept, { isPublic: false, text: 'Secret' }));
      expect(await net.text(kept.atpUri)).toBe('Once');
      const hidden = await rumours.save(rumour());
      const uri = hidden.atpUri;
      await rumours.save(Object.assign(hidden, { isPublic: false }));
      expect([hidden.atpUri, await net.text(uri)]).toEqual([null, null]);
      await rumours.save(Object.assign(hidden, { isPublic: true }));
      expect(hidden.atpUri).not.toBe(uri);
      expect(await net.text(hidden.atpUri)).toBe('Psst');
    });

    it("moves a record to another account with 'followOwner', and leaves it where it is without", async () => {
      const moving = await rumours.save(rumour({ text: `moving ${kind}` }));
      const old = moving.atpUri;
      await rumours.save(Object.assign(moving, { did: net.bob.did }));
      expect(moving.getAtpDid()).toBe(net.bob.did);
      const away = moving.atpUri;
      expect([await net.text(old), await net.text(away)]).toEqual([null, `moving ${kind}`]);
      await rumours.save(Object.assign(moving, { did: net.alice.did }));
      expect([moving.getAtpDid(), moving.atpUri === old]).toEqual([net.alice.did, false]);
      expect([await net.text(away), await net.text(moving.atpUri)]).toEqual([null, `moving ${kind}`]);
      await rumours.save(Object.assign(moving, { text: `stayed ${kind}` }));
      expect(await net.text(moving.atpUri)).toBe(`stayed ${kind}`);
      const staying = await stories.save(story());
      await stories.save(Object.assign(staying, { did: net.bob.did, text: 'Stays' }));
      expect(staying.getAtpDid()).toBe(net.alice.did);
      expect(await net.text(staying.atpUri)).toBe('Stays');
    });

    it('changes neither version nor update date when it writes back', async () => {
      const one = await stories.save(story());
      const row = await stories.findOneByOrFail({ id: one.id });
      expect(row.atpUri).toBe(one.atpUri);
      expect([row.version, row.updatedAt]).toEqual([1, one.updatedAt]);
      await rumours.remove(await rumours.save(rumour()));
    });

    it('makes no request for a save that leaves the record as it is', async () => {
      const one = await stories.save(story());
      net.proxy.reset();
      const loaded = await stories.findOneByOrFail({ id: one.id });
      await stories.save(Object.assign(loaded, { did: net.bob.did }));
      await stories.update(one.id, { did: net.alice.did });
      expect(net.proxy.calls).toEqual([]);
    });

    it('publishes a row again if its uri column holds no at-uri', async () => {
      const one = await stories.save(story());
      const name = app.dataSource.driver.escape('atpUri');
      await stories.query(`UPDATE story SET ${name} = 'at:/nonsense' WHERE id = ${one.id}`);
      const loaded = await stories.findOneByOrFail({ id: one.id });
      expect([loaded.getAtpUri(), loaded.getAtpDid()]).toEqual([null, null]);
      await stories.save(Object.assign(loaded, { text: 'Mended' }));
      expect(loaded.atpUri).toBe(one.atpUri);
      expect(await net.text(loaded.atpUri)).toBe('Mended');
    });

    it('deletes and inserts at a fixed key in one transaction as one update', async () => {
      const profiles = app.repository(Profile);
      const profile = (name: string): Profile =>
        Object.assign(new Profile(), { name, did: net.alice.did, text: `${name} ${kind}` });
      const first = await profiles.save(profile('first'));
      expect(first.getAtpRkey()).toBe('self');
      net.proxy.reset();
      const second = await app.dataSource.transaction(async (tx) => {
        await tx.remove(first);
        return tx.save(profile('second'));
      });
      expect(app.log.lines).toEqual([]);
      expect(await net.text(second.atpUri)).toBe(`second ${kind}`);
      expect(net.proxy.calls.filter((call) => call === 'applyWrites')).toHaveLength(1);
      await profiles.remove(second);
      expect(await net.texts(net.alice, 'profile')).toEqual([]);
      const third = await profiles.save(profile('second'));
      expect(await net.text(third.atpUri)).toBe(`second ${kind}`);
      await profiles.delete('second');
    });

    it('saves the row when its mapper or syncAsDid() throws, and reports which function failed for which entity', async () => {
      const fragiles = app.repository(Fragile);
      for (const [fault, words] of [
        ['mapper', /FragileMapper\.toRecord\(\) failed for Fragile ID: out of words/],
        ['did', /Fragile\.syncAsDid\(\) failed for Fragile ID: no such account/],
      ] as const) {
        const { id } = await fragiles.save(Object.assign(new Fragile(), { fault }));
        expect(await fragiles.countBy({ id })).toBe(1);
        const [failure] = app.taken(SyncFailed);
        expect(failure).toMatchObject({ entityName: 'Fragile', entityId: String(id) });
        expect(failure?.error.message.replace(` ${id}:`, ' ID:')).toMatch(words);
      }
    });

    it('deletes the record of an entity that is removed while its publish is in flight', async () => {
      const held = net.holdWrite();
      const one = story({ text: `gone ${kind}` });
      const saving = stories.save(one);
      await held.arrived;
      const removing = stories.delete(one.id);
      await until(async () => (await stories.countBy({ id: one.id })) === 0);
      held.release();
      await Promise.all([saving, removing]);
      expect(await net.texts(net.alice, 'story')).not.toContain(`gone ${kind}`);
      expect(app.taken(RecordUnpublished)).toHaveLength(1);
    });

    for (const [first, second] of [
      ['changed', 'Once'],
      ['changed', 'changed again'],
      ['Once', 'changed'],
    ] as const) {
      it(`ends with the state that was committed last: ${first}, then ${second} while the first is in flight`, async () => {
        const one = await stories.save(story());
        const held = net.holdWrite();
        const saves = [stories.update(one.id, { text: first })];
        if (first !== 'Once') await held.arrived;
        else await saves[0];
        saves.push(stories.update(one.id, { text: second }));
        await until(async () => (await stories.findOneByOrFail({ id: one.id })).text === second);
        held.release();
        await Promise.all(saves);
        expect(await net.text(one.atpUri)).toBe(second);
      });
    }

    it('does not trust what it read before a write of the same account was settled', async () => {
      const one = await rumours.save(rumour({ text: 'first' }));
      const mine = await rumours.findOneByOrFail({ id: one.id });
      const held = net.holdWrite();
      const updating = rumours.update(one.id, { text: 'second' });
      await held.arrived;
      const gate = Promise.withResolvers<void>();
      Rumour.asked = gate.promise;
      // Back to what is at the PDS, as far as its row tells until the write in flight is settled.
      const saving = rumours.save(Object.assign(mine, { text: 'first' }));
      await until(async () => (await rumours.findOneByOrFail({ id: one.id })).text === 'first');
      await new Promise((resolve) => setTimeout(resolve, 50));
      Rumour.asked = undefined;
      held.release();
      await updating;
      gate.resolve();
      await saving;
      expect(await net.text(one.atpUri)).toBe('first');
    });

    it('ends with the state that was committed last, whatever the interleaving', async () => {
      const one = await stories.save(story());
      for (let round = 0; round < 6; round++) {
        await Promise.all(
          ['a', 'b', 'Once', 'a'].map(async (text, index) => {
            for (let turn = 0; turn < round * index * 3; turn++) await Promise.resolve();
            const mine = await stories.findOneByOrFail({ id: one.id });
            await stories.save(Object.assign(mine, { text }));
          }),
        );
        const row = await stories.findOneByOrFail({ id: one.id });
        expect(await net.text(one.atpUri)).toBe(row.text);
        expect((await net.network.getRecord(one.atpUri!))?.cid).toBe(row.atpCid);
      }
    });
  });
}
