import { MapperRegistry, ParityOptionsError, RecordMapper } from 'nestjs-parity';

class Post {}
class Reply extends Post {}
class Photo {}

function mapper(entity: new () => object, collection: string): RecordMapper {
  class AnyMapper extends RecordMapper {
    readonly entity = entity;
    readonly collection = collection;
    toRecord(): Record<string, unknown> {
      return {};
    }
  }
  return new AnyMapper();
}

function registry(...mappers: RecordMapper[]): MapperRegistry {
  const found = new MapperRegistry();
  mappers.forEach((one) => found.register(one));
  return found;
}

describe('the registry of mappers', () => {
  const posts = mapper(Post, 'app.bsky.feed.post');
  const photos = mapper(Photo, 'com.example.photo');

  it('finds a mapper by its entity class, and nothing for another', () => {
    expect(registry(posts).forEntity(Post)).toBe(posts);
    expect(registry(posts).forEntity(Photo)).toBeUndefined();
  });

  it('finds for a subclass the mapper of its nearest base, or its own', () => {
    expect(registry(posts).forEntity(Reply)).toBe(posts);
    const replies = mapper(Reply, 'com.example.reply');
    expect(registry(posts, replies).forEntity(Reply)).toBe(replies);
    expect(registry(replies).forEntity(Post)).toBeUndefined();
  });

  it('finds all mappers of a collection', () => {
    const shared = mapper(Photo, 'app.bsky.feed.post');
    expect(registry(posts, shared).forCollection('app.bsky.feed.post')).toEqual([posts, shared]);
    expect(registry(posts, shared).forCollection('com.example.none')).toEqual([]);
  });

  it('knows its collections, each once, and its mappers', () => {
    const found = registry(posts, photos, mapper(Reply, 'app.bsky.feed.post'));
    expect(found.collections()).toEqual(['app.bsky.feed.post', 'com.example.photo']);
    expect([found.has('com.example.photo'), found.has('com.example.none')]).toEqual([true, false]);
    expect(found.all()).toHaveLength(3);
    expect(registry().all()).toEqual([]);
  });

  it('takes the same mapper again, and no second one for its entity', () => {
    expect(registry(posts, posts).all()).toEqual([posts]);
    expect(() => registry(posts, mapper(Post, 'com.example.post'))).toThrow(ParityOptionsError);
  });

  it('refuses a collection that is no NSID', () => {
    expect(() => registry(mapper(Post, 'post'))).toThrow(
      "AnyMapper.collection is 'post', which is no NSID; write something like 'app.bsky.feed.post'.",
    );
  });
});
