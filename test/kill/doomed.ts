import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ParityService } from 'nestjs-parity';
import type { DataSource } from 'typeorm';
import { Note, Owner } from '../support/entities/notebook.js';
import { perform } from '../property/writes.js';
import type { Awaits } from './awaits.js';
import type { Back, CommittedWrite, Death } from './death.js';
import { isRare } from './points.js';
import { random } from './random.js';
import { ALL_WRITES, NOTE_WRITES, randomWrite } from './random-writes.js';

type Of<K extends Death['kind']> = Extract<Death, { kind: K }>;

const die = (): void => void process.kill(process.pid, 'SIGKILL');

/** What a process does until it dies. */
export class Doomed {
  private readonly random;
  private noisy: Owner[] = [];
  private readonly me: Owner;

  constructor(
    private readonly death: Death,
    private readonly quiet: string,
    seed: number,
    private readonly awaits: Awaits,
    private readonly dataSource: DataSource,
    private readonly parity: () => ParityService,
  ) {
    this.random = random(seed);
    this.me = Object.assign(new Owner(), { id: 100 + Number(death.tag.split(' ')[1]), did: quiet });
  }

  /** Before the worker starts. */
  async prepare(): Promise<void> {
    const { death, awaits } = this;
    const owners = this.dataSource.getRepository(Owner);
    this.noisy = await owners.find({ where: [{ id: 0 }, { id: 1 }], order: { id: 'ASC' } });
    await owners.save(this.me);
    if (death.kind === 'at-point') {
      let left = death.nth;
      awaits.onPoint = (point, did) => {
        if (did === this.quiet && point === death.point && --left === 0) die();
      };
      if (isRare(death.point)) awaits.stumbles = (did) => did === this.quiet && this.random.integer(8) === 0;
    }
    if (death.kind === 'deleted' && death.back === 'recover-created') {
      const note = await this.dataSource.manager.findOneOrFail(Note, {
        where: { user: { id: this.me.id } },
        withDeleted: true,
      });
      this.afterWrite(true, () => this.back('recover', note));
    }
  }

  /** Does not return: somebody has to kill it, or it itself. */
  async go(): Promise<void> {
    const { death } = this;
    if (death.kind === 'committed') await this.committed(death);
    else if (death.kind === 'deleted') await this.deleted(death);
    else if (death.kind === 'created') await this.created();
    else if (death.kind === 'under-way') await this.underWay();
    else if (death.kind === 'stopped') await this.writeUntilStopped();
    else await this.writeAtRandom(death.kind === 'at-point' && isRare(death.point) ? 15_000 : 60_000);
    if (death.kind === 'at-point' && isRare(death.point)) process.send?.('it never came to its point', die);
    await sleep(30_000);
  }

  private async writeAtRandom(milliseconds: number): Promise<void> {
    const { manager } = this.dataSource;
    const texts = ['a', 'b', 'c', 'd'].map((text) => `${this.death.tag} ${text}`);
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      await perform(randomWrite(this.random, ALL_WRITES), manager, this.noisy);
      await perform(randomWrite(this.random, NOTE_WRITES, { texts, rows: 3 }), manager, [this.me]);
      await sleep(this.random.integer(8));
    }
  }

  /** Goes on while the application shuts down; what fails then is not committed, or was captured. */
  private async writeUntilStopped(): Promise<void> {
    const stopping = once(process, 'SIGTERM');
    await this.writeAtRandom(60_000).catch(async (error: unknown) => {
      if (!(await Promise.race([stopping, sleep(0)]))) throw error;
    });
  }

  private async committed({ write }: Of<'committed'>): Promise<void> {
    const { manager } = this.dataSource;
    const note = this.note({ open: write !== 'show' });
    if (write !== 'insert') await this.insert(note);
    if (write === 'recover') await this.settled(manager.softRemove(note));
    this.awaits.onCommitted = die;
    const writes: Record<CommittedWrite, () => Promise<unknown>> = {
      insert: () => manager.save(note),
      edit: () => manager.save(Object.assign(note, { text: `${note.text}, edited` })),
      remove: () => manager.remove(note),
      'soft-remove': () => manager.softRemove(note),
      recover: () => manager.recover(note),
      hide: () => manager.save(Object.assign(note, { open: false })),
      show: () => manager.save(Object.assign(note, { open: true })),
    };
    await writes[write]();
  }

  private async deleted({ back }: Of<'deleted'>): Promise<void> {
    // Begun by the process before, and under way since this one has started.
    if (back === 'recover-created') return;
    const { manager } = this.dataSource;
    const note = this.note();
    await this.insert(note);
    this.afterWrite(true, () => this.back(back, note));
    if (back === 'recover') await manager.softRemove(note);
    if (back === 'show') await manager.save(Object.assign(note, { open: false }));
    if (back === 'publish') await this.parity().unpublish(note);
  }

  private async back(back: Exclude<Back, 'recover-created'>, note: Note): Promise<void> {
    const { manager } = this.dataSource;
    if (back === 'recover') await manager.recover(note);
    if (back === 'show') await manager.save(Object.assign(note, { open: true }));
    if (back === 'publish') await this.parity().publish(note);
  }

  private async created(): Promise<void> {
    const { manager } = this.dataSource;
    await this.idle([this.quiet]);
    const note = this.note();
    this.afterWrite(false, () => manager.softRemove(note));
    await manager.save(note);
  }

  private async underWay(): Promise<void> {
    const { manager } = this.dataSource;
    const note = this.note();
    await this.insert(note);
    process.send?.('hold the next write');
    await once(process, 'message');
    const { text } = note;
    await manager.save(Object.assign(note, { text: `${text}, edited` }));
    await once(process, 'message');
    await manager.save(Object.assign(note, { text }));
    die();
  }

  /** When the next write of the quiet account has landed, before it is settled: this, and then death. */
  private afterWrite(deletes: boolean, last: () => Promise<unknown>): void {
    let isLast = false;
    this.awaits.onPoint = async (point, did, write) => {
      if (isLast || point !== 'after applyWrites' || did !== this.quiet || write?.deletes !== deletes) return;
      isLast = true;
      await last();
      die();
    };
  }

  private note(fields: Partial<Note> = {}): Note {
    const { me, death } = this;
    return this.dataSource.manager.create(Note, { text: death.tag, open: true, user: me, ...fields });
  }

  private insert(note: Note): Promise<void> {
    return this.settled(this.dataSource.manager.save(note));
  }

  private async settled(write: Promise<unknown>): Promise<void> {
    await write;
    await this.idle([this.quiet]);
  }

  private idle(dids: readonly string[]): Promise<void> {
    return idle(this.parity(), dids);
  }
}

/** @throws when something is still pending after two minutes */
export async function idle(parity: ParityService, dids: readonly string[]): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(5)) {
    const pending = await Promise.all(dids.map((did) => parity.hasPendingSyncs(did)));
    if (!pending.includes(true)) return;
  }
  throw new Error('Still pending after two minutes');
}
