import { In, type EntityManager } from 'typeorm';
import { Card, Note, Owner, Profile } from '../support/entities/notebook.js';
import type { WriteStep } from './steps.js';

/** One of the notes of these owners, if they have any. */
export async function noteOf(
  row: number,
  manager: EntityManager,
  owners: readonly Owner[],
): Promise<Note | undefined> {
  const found = await manager.find(Note, {
    where: { user: { id: In(owners.map(({ id }) => id)) } },
    relations: { user: true },
    withDeleted: true,
    order: { id: 'ASC' },
  });
  return found[row % Math.max(1, found.length)];
}

/** Does one step, on the notes of these owners; one that finds nothing to write to does nothing. */
export async function perform(
  step: WriteStep,
  manager: EntityManager,
  owners: readonly Owner[],
): Promise<void> {
  const owner = (account: number): Owner => owners[account % owners.length]!;
  const note = (row: number): Promise<Note | undefined> => noteOf(row, manager, owners);
  const card = (row: number): { deck: string; place: number } => ({
    deck: row % 2 ? 'odd' : 'even',
    place: row,
  });
  switch (step.kind) {
    case 'insert':
      await manager.save(
        manager.create(Note, { text: step.text, open: step.open, user: owner(step.account) }),
      );
      return;
    case 'edit': {
      const found = await note(step.row);
      if (found) await manager.save(Object.assign(found, { text: step.text }));
      return;
    }
    case 'save-partly': {
      const found = await note(step.row);
      if (found) await manager.save(Note, { id: found.id, text: step.text });
      return;
    }
    case 'update-where': {
      const found = await note(step.row);
      if (found) await manager.update(Note, { text: found.text }, { text: step.text });
      return;
    }
    case 'hide': {
      const found = await note(step.row);
      if (found) await manager.save(Object.assign(found, { open: step.open }));
      return;
    }
    case 'give-to': {
      const found = await note(step.row);
      if (found) await manager.save(Object.assign(found, { user: owner(step.account) }));
      return;
    }
    case 'remove': {
      const found = await note(step.row);
      if (found) await manager.remove(found);
      return;
    }
    case 'delete-where': {
      const found = await note(step.row);
      if (found) await manager.delete(Note, { text: found.text });
      return;
    }
    case 'soft-remove': {
      const found = await note(step.row);
      if (found) await manager.softRemove(found);
      return;
    }
    case 'recover': {
      const found = await note(step.row);
      if (found) await manager.recover(found);
      return;
    }
    case 'card': {
      const { text, open } = step;
      await manager.save(manager.create(Card, { ...card(step.row), text, open, user: owner(step.account) }));
      return;
    }
    case 'remove-card': {
      const found = await manager.findOneBy(Card, card(step.row));
      if (found) await manager.remove(found);
      return;
    }
    case 'give-card-to':
      await manager.update(Card, card(step.row), { user: { id: owner(step.account).id } });
      return;
    case 'profile': {
      const { text, open } = step;
      await manager.save(manager.create(Profile, { did: owner(step.account).did, text, open }));
      return;
    }
    case 'remove-profile':
      await manager.delete(Profile, { did: owner(step.account).did });
      return;
    case 'replace-profile': {
      const { did } = owner(step.account);
      await manager.delete(Profile, { did });
      await manager.insert(Profile, { did, text: step.text });
      return;
    }
  }
}
