import {
  AtpMapper,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  RecordMapper,
  type ParityModuleOptions,
} from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import {
  Column,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';
import type { DatabaseKind, FreshDatabase } from '../../support/databases.js';
import type { Model } from '../../support/entities/model.js';
import { aParityApp, type ParityApp } from '../../support/parity-app.js';
import { passwordsOf } from '../../support/sessions.js';
import { until } from '../../support/until.js';

@Entity()
export class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column({ default: '' }) label!: string;
}

@Entity()
@AutoSyncsWithAtp()
export class Book extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() title!: string;
  @Column({ default: true }) visible!: boolean;
  @ManyToOne(() => Shelf, { onDelete: 'CASCADE' }) shelf!: Relation<Shelf>;
  @DeleteDateColumn() deletedAt!: Date | null;

  override shouldAutoSync(): boolean {
    return this.visible;
  }
  override syncAsDid(): string | undefined {
    return this.shelf?.did;
  }
}

/** A composite key. */
@Entity()
@AutoSyncsWithAtp()
export class Loan extends AtpRecordEntity {
  @PrimaryColumn({ length: 20 }) reader!: string;
  @PrimaryColumn() year!: number;
  @Column() did!: string;
}

/** What the mapper's next version says; empty: the first one. */
export const mapping = { prefix: '' };

@AtpMapper()
class BookMapper extends RecordMapper<Book> {
  readonly entity = Book;
  readonly collection = 'com.example.book';
  override readonly relations = { shelf: true };

  toRecord({ title, shelf }: Book): Record<string, unknown> {
    if (title === 'unmappable') throw new Error('no words for it');
    return { title: mapping.prefix + title, shelf: shelf.label };
  }
}

@AtpMapper()
class LoanMapper extends RecordMapper<Loan> {
  readonly entity = Loan;
  readonly collection = 'com.example.loan';

  toRecord({ reader, year }: Loan): Record<string, unknown> {
    return { reader, year };
  }
}

export interface LibraryOptions {
  readonly pendingSyncs?: ParityModuleOptions['pendingSyncs'];
  readonly sync?: ParityModuleOptions['sync'];
  readonly pds?: ParityModuleOptions['pds'];
  readonly did?: string;
  readonly password?: string;
  readonly service?: string;
}

let accounts = 0;

/** An application with one account at a real PDS, and a shelf of its. */
export class Library {
  private constructor(
    readonly network: LocalNetwork,
    readonly app: ParityApp,
    readonly did: string,
    readonly shelf: Shelf,
  ) {}

  static readonly model: Model = { entities: [Shelf, Book, Loan], mappers: [BookMapper, LoanMapper] };

  static async open(
    network: LocalNetwork,
    database: DatabaseKind | FreshDatabase,
    { service = network.pdsUrl, ...options }: LibraryOptions = {},
  ): Promise<Library> {
    const account = await network.createAccount({ handle: `library${++accounts}-${process.pid}.test` });
    const { did, password } = account;
    const app = await aParityApp({
      model: Library.model,
      sessions: passwordsOf(service, { did, password: options.password ?? password }),
      database,
      storage: 'database',
      ...(options.pendingSyncs && { pendingSyncs: options.pendingSyncs }),
      parity: { ...(options.sync && { sync: options.sync }), ...(options.pds && { pds: options.pds }) },
    });
    const shelves = app.repository(Shelf);
    return new Library(network, app, did, await shelves.save(shelves.create({ did })));
  }

  save(title: string, more: Partial<Book> = {}): Promise<Book> {
    const books = this.app.repository(Book);
    return books.save(books.create({ title, shelf: this.shelf, ...more }));
  }

  find(title: string): Promise<Book> {
    return this.app.repository(Book).findOneByOrFail({ title });
  }

  sql(text: string): Promise<unknown> {
    return this.app.dataSource.query(text);
  }

  async titles(): Promise<string[]> {
    const records = await this.network.listRecords(this.did, 'com.example.book');
    return records.map(({ value }) => (value as { title: string }).title).toSorted();
  }

  idle(): Promise<void> {
    return until(async () => !(await this.app.parity.hasPendingSyncs(this.did)));
  }

  async close(): Promise<void> {
    await this.app.stop();
  }
}
