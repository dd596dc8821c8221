import { isValidDid } from '@atproto/syntax';
import { boolean, checkNames, oneOf, wrong } from '../model/option-checks.js';
import type { RecordSource } from './sources/record-source.js';

/**
 * Whose records are followed.
 * - `'ours'`: accounts that have, or had, a session here.
 * - DIDs, or a function of a DID.
 * - `'network'`: every account that a source tells of.
 */
export type FollowedAccounts =
  'ours' | 'network' | readonly string[] | ((did: string) => boolean | Promise<boolean>);

/** How records that change elsewhere reach the entities. */
export interface InboundOptions {
  /** Whose records are followed. Default 'ours'. */
  readonly accounts?: FollowedAccounts;
  /**
   * Whether the records of an account are imported when it signs in: before the sign-in ends ('await'), after
   * it ('background', the default), or not.
   */
  readonly importOnSignIn?: 'await' | 'background' | false;
  /** Where live events come from: `firehose()`, `jetstream()`, `tap()`, or one of yours. Default: nowhere. */
  readonly source?: RecordSource;
  /** Of the directory for did:plc. Default: that of `oauth`, or `https://plc.directory`. */
  readonly plcDirectoryUrl?: string | URL;
  /** Reaches PDSs over HTTP, and at private addresses: for local networks only. Default: that of `oauth`. */
  readonly allowHttp?: boolean;
}

export type ResolvedInboundOptions = Required<Omit<InboundOptions, 'source' | 'plcDirectoryUrl'>> & {
  readonly source: RecordSource | undefined;
  readonly plcDirectoryUrl: string | undefined;
};

/** @throws ParityOptionsError that names the option, what it got, and what it takes */
export function resolveInboundOptions(
  options: InboundOptions,
  oauth: Pick<InboundOptions, 'plcDirectoryUrl' | 'allowHttp'> = {},
): ResolvedInboundOptions {
  checkNames<InboundOptions>('inbound', options, {
    accounts: true,
    importOnSignIn: true,
    source: true,
    plcDirectoryUrl: true,
    allowHttp: true,
  });
  const { accounts = 'ours', importOnSignIn = 'background', source } = options;
  if (importOnSignIn !== false) oneOf('inbound.importOnSignIn', importOnSignIn, ['await', 'background']);
  if (source !== undefined && typeof (source as Partial<RecordSource> | null)?.open !== 'function')
    throw wrong(
      'inbound.source',
      source,
      "a source, such as firehose({ service: 'wss://…' }), or a RecordSource of yours",
    );
  const { plcDirectoryUrl = oauth.plcDirectoryUrl, allowHttp = oauth.allowHttp ?? false } = options;
  if (plcDirectoryUrl !== undefined && !URL.canParse(String(plcDirectoryUrl)))
    throw wrong('inbound.plcDirectoryUrl', plcDirectoryUrl, "a URL, such as 'https://plc.directory'");
  return {
    accounts: checkAccounts(accounts),
    importOnSignIn,
    source,
    plcDirectoryUrl: plcDirectoryUrl === undefined ? undefined : String(plcDirectoryUrl).replace(/\/$/, ''),
    allowHttp: boolean('inbound.allowHttp', allowHttp),
  };
}

function checkAccounts(accounts: unknown): FollowedAccounts {
  if (accounts === 'ours' || accounts === 'network' || typeof accounts === 'function')
    return accounts as FollowedAccounts;
  if (Array.isArray(accounts) && accounts.every((did) => typeof did === 'string' && isValidDid(did)))
    return accounts as readonly string[];
  throw wrong('inbound.accounts', accounts, "'ours', 'network', a list of DIDs, or a function of a DID");
}
