import { BadRequestException } from '@nestjs/common';
import { postStatuses, type PostStatus } from './post.entity.js';

export interface PostInput {
  readonly content: string;
  readonly status: PostStatus;
}

/** What app.bsky.feed.post allows in `text`. */
const MAX_GRAPHEMES = 300;
const MAX_BYTES = 3_000;
const graphemes = new Intl.Segmenter();

/** Reads a form or a JSON body; only what it has. */
export function postInput(body: unknown): Partial<PostInput> {
  const { content, status } = (body ?? {}) as Record<string, unknown>;
  return {
    ...(content !== undefined && { content: validContent(content) }),
    ...(status !== undefined && { status: validStatus(status) }),
  };
}

function validContent(value: unknown): string {
  // Forms send line ends as CRLF.
  const content = typeof value === 'string' ? value.replaceAll('\r\n', '\n').trim() : '';
  if (content === '') throw new BadRequestException('A post needs some text (content).');
  const length = [...graphemes.segment(content)].length;
  if (length > MAX_GRAPHEMES || Buffer.byteLength(content) > MAX_BYTES) {
    throw new BadRequestException(`A post has at most ${MAX_GRAPHEMES} characters; this one has ${length}.`);
  }
  return content;
}

function validStatus(value: unknown): PostStatus {
  const status = postStatuses.find((known) => known === value);
  if (status === undefined) {
    throw new BadRequestException(`The status of a post is ${postStatuses.join(' or ')}.`);
  }
  return status;
}
