import { Agent, XRPCError } from '@atproto/api';

/**
 * Asks a service (a PDS) which DID a handle has.
 *
 * @returns null where no account has the handle
 * @throws XRPCError when the service does not answer, or is no such service
 */
export async function resolveHandle(
  service: string | URL,
  handle: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<string | null> {
  const agent = new Agent((path, init) => fetch(new URL(path, service), init));
  try {
    const { data } = await agent.com.atproto.identity.resolveHandle({ handle }, { signal });
    return data.did;
  } catch (error) {
    // 'HandleNotFound' for a handle of the service's own, 'InvalidRequest' for others.
    if (error instanceof XRPCError && error.headers !== undefined && error.status === 400) return null;
    throw error;
  }
}
