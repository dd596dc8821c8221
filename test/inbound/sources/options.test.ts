import { firehose, jetstream, tap, tapWebhook, type JetstreamOptions } from '../../../lib/index.js';

describe('the options of a source', () => {
  test.each([
    ["'wss://relay.example.com'", 'relay.example.com', () => firehose({ service: 'relay.example.com' })],
    ['ftp', 'ftp://a', () => firehose({ service: 'ftp://a' })],
    ['a password', 'without a password', () => firehose({ service: 'https://me:secret@a' })],
    ['a number', 'is 7', () => firehose({ service: 7 as unknown as string })],
    [
      'an unknown one',
      "did you mean 'service'?",
      () => firehose({ servce: 'x' } as unknown as { service: string }),
    ],
    ['no host', "such as ['", () => jetstream({ hosts: [] })],
    ['no address', "hosts }) is 'wss://not an address'", () => jetstream({ hosts: ['not an address'] })],
    [
      'version 3',
      'is 3; it takes 1 or 2',
      () => jetstream({ hosts: ['a'], version: 3 } as unknown as JetstreamOptions),
    ],
    ['no password', 'TAP_ADMIN_PASSWORD', () => tap({ url: 'http://localhost:2480', adminPassword: '' })],
    ['no url', 'http://localhost:2480', () => tap({ url: '', adminPassword: 'x' })],
    [
      'no password',
      'TAP_ADMIN_PASSWORD',
      () => tapWebhook({ adminPassword: undefined as unknown as string }),
    ],
  ])('are refused with what is accepted: %s', (_, says, make) => {
    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(make).not.toThrow('secret');
  });

  test('name the positions by kind and host', () => {
    expect(firehose({ service: 'https://pds.example.com/' }).name).toBe('firehose:pds.example.com');
    expect(jetstream({ hosts: ['a.example.com', 'wss://b.example.com'] }).name).toBe(
      'jetstream-v2:a.example.com',
    );
    expect(tap({ url: 'http://localhost:2480', adminPassword: 'x' }).name).toBe('tap:localhost:2480');
    expect(tapWebhook({ adminPassword: 'x' }).name).toBe('tap-webhook');
  });
});
