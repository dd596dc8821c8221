import { Column, DeleteDateColumn, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { Model } from './model.js';

@Entity()
export class Owner {
  @PrimaryColumn() id!: number;
  @Column() did!: string;
}

/** A generated key; its record goes when it is hidden, and moves when its owner changes. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish', followOwner: true, onConflict: 'overwrite' })
export class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;
  @ManyToOne(() => Owner, { nullable: false }) user!: Owner;
  @DeleteDateColumn() deletedAt!: Date | null;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

/** A composite key that is inserted again; its record stays when it is hidden, and in the account that it is in. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'overwrite' })
export class Card extends AtpRecordEntity {
  @PrimaryColumn() deck!: string;
  @PrimaryColumn() place!: number;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;
  @ManyToOne(() => Owner, { nullable: false }) user!: Owner;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

/** One of each account, under a fixed record key. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish', onConflict: 'overwrite' })
export class Profile extends AtpRecordEntity {
  @PrimaryColumn() did!: string;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

@AtpMapper()
class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';
  override readonly relations = { user: true };

  toRecord({ text }: Note): Record<string, unknown> {
    return { text };
  }
}

@AtpMapper()
class CardMapper extends RecordMapper<Card> {
  readonly entity = Card;
  readonly collection = 'com.example.card';
  override readonly relations = { user: true };

  toRecord({ text }: Card): Record<string, unknown> {
    return { text };
  }
}

@AtpMapper()
class ProfileMapper extends RecordMapper<Profile> {
  readonly entity = Profile;
  readonly collection = 'com.example.profile';

  toRecord({ text }: Profile): Record<string, unknown> {
    return { text };
  }

  override rkey(): string {
    return 'self';
  }
}

export const notebook = {
  entities: [Owner, Note, Card, Profile],
  mappers: [NoteMapper, CardMapper, ProfileMapper],
} satisfies Model;
