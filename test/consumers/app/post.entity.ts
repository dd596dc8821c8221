import { Column, CreateDateColumn, Entity, ManyToOne, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import { User } from './user.entity.js';

@Entity()
@AutoSyncsWithAtp()
export class Post extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() content!: string;
  @ManyToOne(() => User) user!: Relation<User>;
  @CreateDateColumn() createdAt!: Date;
}
