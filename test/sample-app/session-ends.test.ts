import { createApp } from '../../sample-app/create-app.js';
import { freePort } from '../../sample-app/free-port.js';
import { until } from '../support/until.js';
import { aBlog } from './a-blog.js';
import { Visitor, type Row } from './visitor.js';

const blog = aBlog({ own: true });
const nothingWaits = (visitor: Visitor) => until(async () => (await visitor.pending()).length === 0);

describe('a session that ends, in a browser', () => {
  it('keeps what is written, sends the author to sign in, and publishes by itself afterwards', async () => {
    const visitor = await blog.signedIn(blog.alice);
    expect(await visitor.page('/posts')).toContain('<form method="post" action="/dev/revoke"');
    expect(await (await visitor.submit('/dev/revoke')).text()).toContain('ended 1 of your sessions');
    expect(await blog.network.oauthSessions(blog.alice)).toBe(0);

    const refused = await visitor.submit('/posts', { content: 'Too late', status: 'published' });
    expect(refused.status).toBe(303);
    const location = refused.headers.get('location')!;
    expect(location).toBe('/login?reason=OAUTH_SESSION_INVALID&returnTo=%2Fposts');
    const login = await visitor.page(location);
    expect(login).toContain('Your change is saved here, but not at your PDS.');
    expect(login).toContain('name="returnTo" value="/posts"');

    const [post] = await visitor.rows();
    expect(post).toMatchObject({ content: 'Too late', uri: null, waiting: true });
    const waiting = await visitor.page('/posts');
    expect(waiting).toContain('Waiting for your PDS (1)');
    expect(waiting).toContain('<strong class="waiting">waiting</strong>');
    expect(waiting).toContain('No record yet.');
    const pending = await visitor.page('/pending');
    expect(pending).toContain(`<a href="/posts/${post!.id}">post ${post!.id}</a>: Too late`);
    expect(pending).toMatch(
      /<strong>publish<\/strong>[^]*since <time datetime="20[^]*0\s+attempts[^]*Last error: /,
    );
    expect(await blog.texts(blog.alice)).toEqual([]);

    expect(await blog.signIn(visitor, blog.alice, '/posts')).toBe('/posts');
    await nothingWaits(visitor);
    expect(await blog.texts(blog.alice)).toEqual(['Too late']);
    const page = await visitor.page('/posts');
    expect(page).toContain('<code>at://');
    expect(page).not.toContain('Waiting for your PDS');
    expect(page).not.toContain('class="waiting"');
    await visitor.submit(`/posts/${post!.id}/delete`);
  });

  it('deletes the record of a post that was deleted in the meantime', async () => {
    const visitor = await blog.signedIn(blog.alice);
    await visitor.submit('/posts', { content: 'To go', status: 'published' });
    const [post] = await visitor.rows();
    await visitor.submit('/dev/revoke');

    expect((await visitor.submit(`/posts/${post!.id}/delete`)).headers.get('location')).toMatch(/^\/login/);
    expect(await visitor.rows()).toEqual([]);
    expect(await visitor.page('/posts')).toContain(`post ${post!.id} (deleted here)`);
    expect(await blog.texts(blog.alice)).toEqual(['To go']);

    await blog.signIn(visitor, blog.alice);
    await nothingWaits(visitor);
    expect(await blog.texts(blog.alice)).toEqual([]);
  });

  it('sends a retry that is too early to sign in, and comes back to the page that asked for it', async () => {
    const visitor = await blog.signedIn(blog.alice);
    await visitor.submit('/dev/revoke');
    await visitor.submit('/posts', { content: 'Early', status: 'published' });

    const referer = `${visitor.origin}/pending/retry`;
    const refused = await visitor.submit('/pending/retry', {}, { referer });
    expect(refused.headers.get('location')).toBe(
      '/login?reason=OAUTH_SESSION_INVALID&returnTo=%2Fpending%2Fretry',
    );
    expect(await visitor.pending()).toEqual([expect.objectContaining({ content: 'Early', attempts: 0 })]);

    const back = await blog.signIn(visitor, blog.alice, '/pending/retry');
    expect((await visitor.get(back!)).headers.get('location')).toBe('/pending');
    await nothingWaits(visitor);
    expect(await visitor.page('/pending')).toContain('Nothing is waiting.');
    const [post] = await visitor.rows();
    await visitor.submit(`/posts/${post!.id}/delete`);
  });

  it('tells nobody else what waits', async () => {
    const alice = await blog.signedIn(blog.alice);
    const bob = await blog.signedIn(blog.bob);
    await alice.submit('/dev/revoke');
    await alice.submit('/posts', { content: 'Mine', status: 'published' });

    expect(await alice.pending()).toHaveLength(1);
    expect(await bob.pending()).toEqual([]);
    expect(await bob.rows()).toEqual([expect.objectContaining({ content: 'Mine', waiting: false })]);
    expect(await bob.page('/posts')).not.toContain('Waiting for your PDS');
    const visitor = blog.visitor();
    expect((await visitor.get('/pending')).headers.get('location')).toBe('/login?returnTo=%2Fpending');
    for (const path of ['/pending/retry', '/dev/revoke']) {
      expect((await visitor.json('POST', path)).status).toBe(401);
      expect((await bob.submit(path, {}, { origin: 'http://evil.example' })).status).toBe(403);
    }

    await blog.signIn(alice, blog.alice);
    await nothingWaits(alice);
    const [post] = await alice.rows();
    await alice.submit(`/posts/${post!.id}/delete`);
  });
});

describe('a session that ends, with curl', () => {
  it('answers 401 with the row kept, shows what waits, and nothing waits after the sign-in', async () => {
    const visitor = await blog.signedIn(blog.bob);
    expect(await (await visitor.json('POST', '/dev/revoke')).json()).toEqual({ revoked: 1 });

    for (const content of ['Too late', 'Behind it']) {
      const refused = await visitor.json('POST', '/posts', { content, status: 'published' });
      expect(refused.status).toBe(401);
      expect(await refused.json()).toEqual({
        error: 'reauthentication_required',
        did: blog.bob.did,
        authorizeUrl: '/login?reason=OAUTH_SESSION_INVALID&returnTo=%2F',
        saved: true,
      });
    }

    const [behind, late] = (await visitor.rows()) as [Row, Row];
    const uri = expect.stringMatching(`^at://${blog.bob.did}/app.bsky.feed.post/`);
    const kept = { operation: 'publish', uri, attempts: 0, since: expect.stringMatching(/^20.*Z$/) };
    expect(await visitor.pending()).toEqual([
      { ...kept, postId: late.id, content: 'Too late', lastError: expect.any(String) },
      { ...kept, postId: behind.id, content: 'Behind it', lastError: null },
    ]);
    expect((await visitor.json('POST', '/pending/retry')).status).toBe(401);
    expect(await blog.texts(blog.bob)).toEqual([]);

    const back = await visitor.json('POST', '/dev/sign-in', { handle: 'bob.test' });
    const { pathname, search } = new URL(back.headers.get('location')!);
    await visitor.json('GET', pathname + search);
    await nothingWaits(visitor);
    for (const row of await visitor.rows()) {
      expect(row.waiting).toBe(false);
      expect(await blog.network.getRecord(row.uri!)).toMatchObject({ value: { text: row.content } });
      await visitor.json('DELETE', `/posts/${row.id}`);
    }
    expect(await (await visitor.json('POST', '/pending/retry')).json()).toEqual({
      total: 0,
      succeeded: 0,
      failed: 0,
      skipped: 0,
      errors: [],
      pending: [],
    });
  });

  it('saves a post while the PDS is away, and shows what a retry says', async () => {
    const visitor = await blog.signedIn(blog.bob);
    await blog.network.stopPds();
    try {
      const saved = await visitor.json('POST', '/posts', { content: 'Offline', status: 'published' });
      expect(saved.status).toBe(201);
      expect(await saved.json()).toMatchObject({ content: 'Offline', uri: null, waiting: true });

      const page = await (await visitor.submit('/pending/retry')).text();
      expect(page).toContain('Retried 1: 0 done, 1 failed, 0 given up.');
      const retried = await visitor.json('POST', '/pending/retry');
      expect(await retried.json()).toMatchObject({
        total: 1,
        failed: 1,
        errors: [expect.any(String)],
        pending: [{ content: 'Offline', attempts: 0, lastError: expect.any(String) }],
      });
    } finally {
      await blog.network.startPds();
    }
    // It may have run by itself meanwhile.
    await visitor.submit('/pending/retry');
    await nothingWaits(visitor);
    expect(await blog.texts(blog.bob)).toEqual(['Offline']);
    expect(await (await visitor.submit('/pending/retry')).text()).toContain('There was nothing to retry.');
    const [post] = await visitor.rows();
    await visitor.submit(`/posts/${post!.id}/delete`);
  });

  it.each([
    ['without accounts to sign in', () => ({}), 'test'],
    ['in production', () => ({ accounts: [blog.alice, blog.bob] }), 'production'],
  ])(
    'signs nobody in, ends no sessions and edits no records by /dev %s',
    async (_when, options, environment) => {
      const before = process.env['NODE_ENV'];
      process.env['NODE_ENV'] = environment;
      const port = await freePort(0);
      const app = await createApp(blog.network, port, options());
      await app.listen(port, '127.0.0.1');
      try {
        const visitor = new Visitor(`http://127.0.0.1:${port}`);
        await blog.signIn(visitor, blog.bob);
        const page = await visitor.page('/posts');
        expect(page).toContain('bob.test');
        expect(page).not.toContain('/dev/');
        for (const path of ['/dev/revoke', '/dev/sign-in', '/dev/posts/1/edit-elsewhere']) {
          expect((await visitor.json('POST', path, { handle: 'bob.test' })).status).toBe(404);
        }
      } finally {
        process.env['NODE_ENV'] = before;
        await app.close();
      }
    },
  );
});
