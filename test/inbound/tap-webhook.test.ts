import { tapWebhook, TapWebhookController } from 'nestjs-parity';
import { memoModel, type MemoBase } from '../support/entities/memo.js';
import { InboundStage } from '../support/inbound-stage.js';
import { until } from '../support/until.js';

const MEMO = 'com.example.memo';
const basic = (password: string): string => `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;

describe('The webhook of Tap', () => {
  let stage: InboundStage;
  beforeEach(async () => {
    stage = await InboundStage.start();
  });
  afterEach(() => stage.stop());

  it('answers once the effects of an event are committed, and refuses another password', async () => {
    const { Memo, ...model } = memoModel();
    const source = tapWebhook({ adminPassword: 'secret' });
    const app = await stage.app({ model, providers: [TapWebhookController] }, { source });
    const webhook = app.module.get(TapWebhookController);
    await app.parity.import(stage.did);
    const { cid } = await stage.put(MEMO, 'one', { text: 'One' });
    const { rev } = (await stage.network.commits(stage.did)).at(-1)!;
    const about = { did: stage.did, rev, collection: MEMO, rkey: 'one', action: 'create', cid, live: true };
    const event = { id: 1, type: 'record', record: { ...about, record: { $type: MEMO, text: 'One' } } };
    await expect(webhook.take(event, basic('wrong'))).rejects.toMatchObject({ status: 401 });
    // Until the source is followed, Tap is asked to send the event again.
    await until(() =>
      webhook.take(event, basic('secret')).then(
        () => true,
        () => false,
      ),
    );
    expect(await app.repository<MemoBase>(Memo).find()).toMatchObject([{ text: 'One', atpCid: cid }]);
  });

  it('refuses events where the source takes none', async () => {
    const app = await stage.app({ model: memoModel(), providers: [TapWebhookController] });
    const webhook = app.module.get(TapWebhookController);
    await expect(webhook.take({}, basic('secret'))).rejects.toMatchObject({ status: 503 });
  });
});
