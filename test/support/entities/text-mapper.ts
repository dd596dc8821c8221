import { RecordMapper, type EntityClass } from 'nestjs-parity';

interface Text {
  text: string;
}

/**
 * A mapper of entities whose record is their text, where nothing is to be said of the mapper.
 * @param rkey of all of them; without it each gets a key of its own
 */
export const textMapper = (entity: EntityClass<Text>, collection: string, rkey?: string) => {
  class TextMapper extends RecordMapper<Text> {
    readonly entity = entity;
    readonly collection = collection;
    toRecord({ text }: Text): Record<string, unknown> {
      return { text };
    }
  }
  if (rkey === undefined) return TextMapper;
  return class FixedKeyMapper extends TextMapper {
    override rkey(): string {
      return rkey;
    }
  };
};
