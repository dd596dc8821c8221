import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describeDatabase } from '../support/databases.js';
import { aParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

let leaving: (() => Promise<void>) | undefined;

@Entity()
@AutoSyncsWithAtp({ followOwner: true })
class Guest extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;

  override async shouldAutoUnsync(): Promise<boolean> {
    await leaving?.();
    return true;
  }
}

@AtpMapper()
class GuestMapper extends RecordMapper<Guest> {
  readonly entity = Guest;
  readonly collection = 'com.example.guest';

  toRecord({ text }: Guest): Record<string, unknown> {
    return { text };
  }
}

let network: LocalNetwork;
beforeAll(async () => {
  network = await sharedNetwork();
});

// On SQLite nothing is written back while the transaction of the removal is open.
describeDatabase('postgres')('an entity that is removed while its record arrives in another account', () => {
  it('has that record deleted as well', async () => {
    const accounts = [
      await network.createAccount({ handle: 'from.test' }),
      await network.createAccount({ handle: 'into.test' }),
    ] as const;
    const [from, to] = accounts.map(({ did }) => did) as [string, string];
    const app = await aParityApp({
      model: { entities: [Guest], mappers: [GuestMapper] },
      sessions: passwordsOf(network.pdsUrl, ...accounts),
      database: 'postgres',
      mode: 'background',
      storage: 'database',
    });
    const guests = app.repository(Guest);
    const idle = () =>
      until(async () => !(await app.parity.hasPendingSyncs(from)) && !(await app.parity.hasPendingSyncs(to)));
    const { id } = await guests.save(guests.create({ did: from, text: 'hello' }));
    await idle();

    leaving = idle;
    await guests.update(id, { did: to });
    await guests.delete(id);
    leaving = undefined;
    await idle();
    for (const did of [from, to]) expect(await network.listRecords(did, 'com.example.guest')).toEqual([]);
    await app.stop();
  });
});
