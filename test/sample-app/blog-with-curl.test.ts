import { aBlog } from './a-blog.js';
import type { Row } from './visitor.js';

const blog = aBlog();

describe('the blog with curl', () => {
  it('signs in through the development route and the real callback', async () => {
    const visitor = blog.visitor();
    const answer = await visitor.json('POST', '/dev/sign-in', { handle: blog.alice.handle });
    expect(answer.status).toBe(303);

    const { pathname, search } = new URL(answer.headers.get('location')!);
    const callback = await visitor.json('GET', pathname + search);

    expect(await callback.json()).toEqual({ did: blog.alice.did, handle: blog.alice.handle });
    expect(callback.headers.get('set-cookie')).toMatch(/session=.*; HttpOnly; SameSite=Lax/);
    expect((await visitor.json('POST', '/dev/sign-in', { handle: 'eve.test' })).status).toBe(404);
  });

  it('creates, changes and deletes a post and its record', async () => {
    const visitor = await blog.signedIn(blog.alice);
    const created = await visitor.json('POST', '/posts', { content: 'Hello', status: 'published' });
    expect(created.status).toBe(201);
    const post = (await created.json()) as Row;
    expect(post).toMatchObject({ content: 'Hello', author: { handle: blog.alice.handle }, waiting: false });
    expect(await blog.network.getRecord(post.uri!)).toMatchObject({ value: { text: 'Hello' } });

    const changed = await visitor.json('PATCH', `/posts/${post.id}`, { content: 'Hello again' });
    expect(await changed.json()).toMatchObject({ uri: post.uri, status: 'published' });
    expect(await blog.network.getRecord(post.uri!)).toMatchObject({ value: { text: 'Hello again' } });
    expect(await (await visitor.json('GET', `/posts/${post.id}`)).json()).toMatchObject({
      content: 'Hello again',
    });

    const deleted = await visitor.json('DELETE', `/posts/${post.id}`);
    expect(await deleted.json()).toEqual({ deleted: post.id });
    expect(await blog.network.getRecord(post.uri!)).toBeNull();
  });

  it('says in JSON what is wrong with a request', async () => {
    const visitor = await blog.signedIn(blog.bob);
    const answers = [
      await visitor.json('POST', '/posts', { content: ' ' }),
      await visitor.json('POST', '/posts', { content: '🙂'.repeat(301) }),
      await visitor.json('POST', '/posts', { content: 'x', status: 'secret' }),
      await visitor.json('GET', '/posts/999'),
      await visitor.json('GET', '/posts/abc'),
      await blog.visitor().json('POST', '/posts', { content: 'x' }),
      await blog.visitor().json('POST', '/login', { handle: 'no handle' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 404, 400, 401, 400]);
    for (const answer of answers) {
      expect(await answer.json()).toEqual(
        expect.objectContaining({ error: expect.any(String), message: expect.any(String) }),
      );
    }
  });

  it('refuses what a page of another site sends, and what comes by another name', async () => {
    const visitor = await blog.signedIn(blog.bob);
    const foreign = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await visitor.submit('/posts', { content: 'x' }, foreign)).status).toBe(403);
    expect((await visitor.submit('/posts', { content: 'x' }, { origin: 'null' })).status).toBe(403);
    expect((await visitor.submit('/posts', { content: 'x' }, { 'sec-fetch-site': 'same-site' })).status).toBe(
      403,
    );
    expect((await visitor.rows()).filter(({ content }) => content === 'x')).toEqual([]);

    const localhost = visitor.origin.replace('127.0.0.1', 'localhost');
    const moved = await fetch(`${localhost}/posts?a=1`, { redirect: 'manual' });
    expect(moved.headers.get('location')).toBe(`${visitor.origin}/posts?a=1`);
    expect((await fetch(`${localhost}/posts`, { method: 'POST', redirect: 'manual' })).status).toBe(421);
  });

  it('serves the client metadata', async () => {
    const metadata = await (await blog.visitor().get('/client-metadata.json')).json();
    expect(metadata).toMatchObject({ scope: 'atproto repo:app.bsky.feed.post' });
    expect(await (await blog.visitor().get('/jwks.json')).json()).toEqual({ keys: [] });
  });
});
