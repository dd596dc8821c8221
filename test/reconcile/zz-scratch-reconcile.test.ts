import { LocalNetwork } from 'nestjs-parity/testing';
import { FaultProxy } from '../support/fault-proxy.js';
import { Book, Library } from './library.js';
it('recover during the delete', async () => {
  const network = await LocalNetwork.start();
  const proxy = await FaultProxy.start();
  proxy.target = network.pdsUrl;
  const library = await Library.open(network, 'sqlite', { service: proxy.url, sync: { deadlineMs: 500 } });
  const book = await library.save('x');
  proxy.fault('com.atproto.repo.applyWrites', async (e) => {
    const answer = await e.forward();
    await new Promise((r) => setTimeout(r, 1500));
    e.respond(answer);
  });
  await library.app.repository(Book).softRemove(book);
  const again = await library.app.repository(Book).findOneOrFail({ where: { id: book.id }, withDeleted: true });
  await library.app.repository(Book).recover(again);
  await new Promise((r) => setTimeout(r, 9000));
  console.log(await library.sql('SELECT * FROM book'), await library.sql('SELECT rkey, operation, pending_since, cid, version FROM parity_ledger'), await library.titles(), proxy.calls);
  await library.close(); await network.stop();
});
