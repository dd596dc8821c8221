import {
  Column,
  CreateDateColumn,
  Entity,
  ManyToOne,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  type Relation,
} from 'typeorm';
import { AtpHiddenAt, AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import { User } from '../users/user.entity.js';

export const postStatuses = ['draft', 'published'] as const;
export type PostStatus = (typeof postStatuses)[number];

/** Its record is in the repository of its user (the default of `syncAsDid`) while it is published. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish' })
export class Post extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() content!: string;
  @Column({ type: String, default: 'draft' }) status!: PostStatus;
  // Relation<>: the two entity files import each other, and the class does not exist yet when this line runs.
  @ManyToOne(() => User, (user) => user.posts, { nullable: false }) user!: Relation<User>;
  @CreateDateColumn() createdAt!: Date;
  @UpdateDateColumn() updatedAt!: Date;
  /** While the account of its user is deactivated, or taken down. */
  @AtpHiddenAt() hiddenAt!: Date | null;

  override shouldAutoSync(): boolean {
    return this.status === 'published';
  }
}
