import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
  type Relation,
} from 'typeorm';
import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';

/** Not marked. */
@Entity()
export class Author {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' }) did!: string;
  @Column({ default: '' }) name!: string;
  @OneToMany(() => Book, (book) => book.author, { cascade: true }) books!: Relation<Book[]>;
  @OneToMany(() => Note, (note) => note.author) notes!: Relation<Note[]>;
}

@Entity()
@AutoSyncsWithAtp()
export class Book extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() title!: string;
  @Column({ type: String, nullable: true }) blurb!: string | null;
  @Column({ default: 0 }) pages!: number;
  @Column({ type: String, nullable: true, unique: true }) isbn!: string | null;
  @ManyToOne(() => Author, (author) => author.books, { orphanedRowAction: 'delete' })
  author!: Relation<Author>;
  @OneToMany(() => Note, (note) => note.book, { cascade: ['remove'] }) notes!: Relation<Note[]>;
  @CreateDateColumn() createdAt!: Date;
  @UpdateDateColumn() updatedAt!: Date;
  @VersionColumn() version!: number;
  @DeleteDateColumn() deletedAt!: Date | null;
}

/** Orphans are kept, with a null. */
@Entity()
@AutoSyncsWithAtp()
export class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ type: String, nullable: true }) did!: string | null;
  @ManyToOne(() => Author, (author) => author.notes) author!: Relation<Author> | null;
  @ManyToOne(() => Book, (book) => book.notes) book!: Relation<Book> | null;
}

@AtpMapper()
class BookMapper extends RecordMapper<Book> {
  readonly entity = Book;
  readonly collection = 'com.example.book';
  override readonly relations = { author: true };
  toRecord = ({ title, blurb, author }: Book): Record<string, unknown> => ({
    title,
    blurb: blurb ?? undefined,
    by: author?.name,
  });
}

@AtpMapper()
class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';
  toRecord = ({ text }: Note): Record<string, unknown> => ({ text });
}

export const library = {
  entities: [Author, Book, Note],
  mappers: [new BookMapper(), new NoteMapper()],
};

let count = 0;

export const aBook = (values: Partial<Book> = {}): Book =>
  Object.assign(new Book(), { title: `Book ${++count}` }, values);

export const aNote = (values: Partial<Note> = {}): Note =>
  Object.assign(new Note(), { text: `Note ${++count}` }, values);

export const anAuthor = (values: Partial<Author> = {}): Author => Object.assign(new Author(), values);
