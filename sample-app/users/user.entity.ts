import { Column, Entity, OneToMany, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import { Post } from '../posts/post.entity.js';

@Entity()
export class User {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ unique: true }) did!: string;
  /** As of the last sign-in; the DID where the PDS did not tell. */
  @Column() handle!: string;
  @OneToMany(() => Post, (post) => post.user) posts!: Relation<Post[]>;
}
