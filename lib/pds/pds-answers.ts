import { XRPCError } from '@atproto/api';

/*
 * PDS implementations give the same answer in different words. docs/other-pds.md has the table. An answer that
 * is not in it is not understood, and its request has an unknown outcome.
 */

/** The PDS says that the demanded head is not the head (any more). Nothing was written. */
export const isInvalidSwap = (error: unknown): boolean =>
  error instanceof XRPCError && error.error === 'InvalidSwap';

/**
 * XRPC answers are JSON; a gateway in front of the PDS answers with HTML or plain text, and so do some PDSes.
 */
export const isXrpcAnswer = ({ headers }: XRPCError): boolean =>
  headers?.['content-type']?.includes('json') ?? false;

const isHtml = ({ headers }: XRPCError): boolean => headers?.['content-type']?.includes('html') ?? false;

/**
 * Whether the PDS itself refused, as far as can be told: no gateway answers like this. (The client makes 400
 * of every 4xx status that it does not know, such as 409.)
 */
export function isAnswerOfPds(error: unknown): error is XRPCError {
  if (!(error instanceof XRPCError) || error.headers === undefined || isHtml(error)) return false;
  const status = Number(error.status);
  if (!isXrpcAnswer(error)) return status === 400 || status === 500;
  return status >= 400 && status <= 501 && status !== 429;
}

export const isRateLimit = ({ status, error }: XRPCError): boolean =>
  Number(status) === 429 || error === 'RateLimitExceeded';

/** Answers about the account that no new session changes. */
const ACCOUNT_STATES: Readonly<Record<string, string>> = {
  AccountDeactivated: 'is deactivated: its owner has to activate it again',
  RepoDeactivated: 'is deactivated: its owner has to activate it again',
  AccountTakedown: 'is taken down by its host',
  RepoTakendown: 'is taken down by its host',
  AccountNotFound: 'does not exist at this PDS: it was deleted, or has moved',
  RepoNotFound: 'does not exist at this PDS: it was deleted, or has moved',
};

/** The state of the account that an answer tells; undefined where it tells none. */
export const accountState = (error: unknown): string | undefined =>
  error instanceof XRPCError && Object.hasOwn(ACCOUNT_STATES, error.error)
    ? ACCOUNT_STATES[error.error]
    : undefined;

const SCOPE_ERRORS: ReadonlySet<string> = new Set([
  'scopemissing',
  'scopemissingerror',
  'missingscope',
  'missingscopeerror',
  'insufficientscope',
  'insufficientscopeerror',
]);

const challenge = ({ headers }: XRPCError): string => headers?.['www-authenticate'] ?? '';

/** The same error is in the header of RFC 6750, section 3.1. */
export const isScopeMissing = (error: XRPCError): boolean =>
  SCOPE_ERRORS.has(error.error.replaceAll(/[^a-z]/gi, '').toLowerCase()) ||
  /\berror=["']?insufficient_scope\b/.test(challenge(error)) ||
  (Number(error.status) === 403 && /missing (required )?scope|insufficient[_ ]scope/i.test(error.message));

/** The scope that an answer names; undefined where it names none. */
export function namedScope(error: XRPCError): string | undefined {
  const [, scope] =
    /(?:^|[\s"'`(=])((?:repo|blob|rpc|account|identity|include|transition)[:?][^\s"'`),;]+)/.exec(
      `${error.message} ${challenge(error)}`,
    ) ?? [];
  return scope?.replace(/[.:]+$/, '');
}

const RECORD_MISSING =
  /could not (locate|find) record|record (was )?not found|no such record|record does ?n[o']t exist/i;

/** The client gives the second name to every 404 without a name. */
const isUnsupported = ({ error, message }: XRPCError): boolean =>
  error === 'MethodNotImplemented' ||
  (error === 'XRPCNotSupported' && /method|support|implement/i.test(message));

/** The PDS does not have the method that was called. */
export function isMethodMissing(error: XRPCError): boolean {
  const status = Number(error.status);
  if (status === 501) return true;
  return isXrpcAnswer(error) && status < 500 && isUnsupported(error) && !RECORD_MISSING.test(error.message);
}

/**
 * Whether an answer to `getRecord` is a 404 in JSON that has neither a name nor a message, which are the
 * client's then: either the record is not there, or the method.
 */
export const isWordless = (error: unknown): error is XRPCError =>
  error instanceof XRPCError &&
  Number(error.status) === 404 &&
  isXrpcAnswer(error) &&
  error.error === 'XRPCNotSupported' &&
  error.message === error.error;

/**
 * Whether an answer to `getRecord` says that there is no record. `perhaps`: a deactivated account, or a
 * gateway that has lost its PDS, is told in the same words, so the repository has to exist as well.
 */
export function isRecordMissing(error: unknown): boolean | 'perhaps' {
  if (!(error instanceof XRPCError) || error.headers === undefined) return false;
  if (error.error === 'RecordNotFound') return true;
  const status = Number(error.status);
  if (status === 400 && RECORD_MISSING.test(error.message)) return 'perhaps';
  return status === 404 && !isHtml(error) && !isMethodMissing(error) ? 'perhaps' : false;
}

const RECORD_ERRORS =
  /^(InvalidRecord\w*|InvalidRkey|InvalidType|InvalidMimeType|InvalidSize|InvalidBlob\w*|Blob\w+|\w*Lexicon\w*|\w*Validation\w*|RecordTooLarge)$/;

const RECORD_REASONS =
  /\$\.writes\[|^(Invalid (?:\S+ )?(?:record|\$type|TID|rkey|collection|blob)\b|Unknown lexicon|Referenced |Legacy blobs|Unacceptable |Could not find blob|Too many writes)/i;

/** A 400 that finds fault with a record, in known words. */
export const isRecordRefused = ({ status, error, message }: XRPCError): boolean =>
  Number(status) === 400 &&
  (RECORD_ERRORS.test(error) || (error === 'InvalidRequest' && RECORD_REASONS.test(message)));

/** An answer for a message: its status, and its error if that is a name and no sentence. */
export const said = ({ status, error }: XRPCError): string =>
  `HTTP ${String(status)}${/^[\w.-]{1,64}$/.test(error) ? `, ${error}` : ''}`;
