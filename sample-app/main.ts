import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalNetwork } from 'nestjs-parity/testing';
import { createApp, isProduction } from './create-app.js';
import { freePort } from './free-port.js';

console.log('Starting a PDS and a PLC directory on this machine ...');
const network = await LocalNetwork.start();
const accounts = [
  await network.createAccount({ handle: 'alice.test', password: 'alice-password' }),
  await network.createAccount({ handle: 'bob.test', password: 'bob-password' }),
];
const port = await freePort(Number(process.env['PORT'] ?? 3000));
const app = await createApp(network, port, { accounts, stopsNetwork: true });
app.enableShutdownHooks(['SIGINT', 'SIGTERM'], { useProcessExit: true });
await app.listen(port, '127.0.0.1');

const origin = `http://127.0.0.1:${port}`;
const jar = join(tmpdir(), `nestjs-parity-${port}.cookies`);
const signIn = `curl -sL -c '${jar}' --json '{"handle":"alice.test"}' ${origin}/dev/sign-in`;
const save = (content: string): string =>
  `curl -s -b '${jar}' --json '{"content":"${content}","status":"published"}' ${origin}/posts`;
const edit = `curl -s -b '${jar}' --json '{"content":"Edited in another app"}' ${origin}/dev/posts/1/edit-elsewhere`;
const records = `curl -s '${network.pdsUrl}/xrpc/com.atproto.repo.listRecords?repo=alice.test&collection=app.bsky.feed.post'`;
process.on('exit', () => rmSync(jar, { force: true }));
console.log(`
The blog   ${origin}
The PDS    ${network.pdsUrl}
Accounts   ${accounts.map(({ handle, password }) => `${handle} / ${password}`).join('\n           ')}

In a browser: open the blog and sign in.`);
// The lines need the scripted sign-in.
if (!isProduction()) {
  console.log(`With curl: sign in, publish a post, ask the PDS for its records.

${signIn}
${save('Hello')}
${records}

Another app edits the record of the post (here its first); the blog shows that within a second.

${edit}
sleep 1; curl -s -b '${jar}' ${origin}/posts/1

When a session ends: the PDS ends it, a save is kept (401), it waits; sign in again, and nothing waits any more.

curl -s -b '${jar}' -X POST ${origin}/dev/revoke
${save('While signed out')} -w ' %{http_code}\\n'
curl -s -b '${jar}' ${origin}/pending
${signIn}
sleep 1; curl -s -b '${jar}' ${origin}/pending
${records}`);
}
console.log('\nCtrl-C ends everything; nothing is kept.');
