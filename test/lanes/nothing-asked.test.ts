import { Column, DeleteDateColumn, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, OAuthSessionInvalidError, RecordMapper } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Owner } from '../support/entities/notebook.js';
import { describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { storages } from './author.js';

/** Its record stays whatever becomes of it. */
@Entity()
@AutoSyncsWithAtp()
class Keepsake extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;
  @ManyToOne(() => Owner) user!: Owner;
  @DeleteDateColumn() deletedAt!: Date | null;

  override shouldAutoSync(): boolean {
    return this.open;
  }

  override shouldAutoUnsync(): boolean {
    return false;
  }
}

class KeepsakeMapper extends RecordMapper<Keepsake> {
  readonly entity = Keepsake;
  readonly collection = 'com.example.keepsake';
  toRecord = ({ text }: Keepsake): Record<string, unknown> => ({ text });
}

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const [storage, database] of storages) {
  describeDatabase(database)(`on a parked account (${storage}, ${database})`, () => {
    let app: ParityApp;
    afterEach(() => app.stop());

    it('a change that keeps its record throws nothing', async () => {
      const { did, sessions } = await signedIn(servers);
      app = await aParityApp({
        model: { entities: [Owner, Keepsake], mappers: [KeepsakeMapper] },
        sessions,
        database,
        storage,
      });
      const user = await app.repository(Owner).save(Object.assign(new Owner(), { id: 1, did }));
      const rows = app.repository(Keepsake);
      const save = (text: string): Promise<Keepsake> => rows.save(rows.create({ text, user }));
      const [removed, softRemoved, hidden] = [await save('a'), await save('b'), await save('c')];
      await rows.save(Object.assign(hidden, { open: false }));
      const draft = await rows.save(rows.create({ text: 'draft', open: false, user }));
      sessions.revoke(did);
      await expect(save('d')).rejects.toThrow(OAuthSessionInvalidError);

      await rows.softRemove([draft, softRemoved]);
      await rows.save({ id: hidden.id, text: 'edited' });
      await rows.remove(removed);
      await expect(save('e')).rejects.toThrow(OAuthSessionInvalidError);
    });
  });
}
