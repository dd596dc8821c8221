import { randomInt } from 'node:crypto';
import { CID_BYTES } from './car.scanner.js';

const FIRST_SLOTS = 1_024;
/** Slots are doubled when three quarters are taken. */
const FULL = 0.75;

/**
 * Where the block of a CID begins: 12 bytes a slot, some 24 bytes a block.
 *
 * It knows a CID by 64 bits of its digest, from a place that differs each time. Two blocks with the same bits
 * there are taken for one; whoever reads compares the whole CID, so the other is missed, and never mistaken.
 */
export class BlockIndex {
  private slots = FIRST_SLOTS;
  private used = 0;
  private keys = new Uint32Array(2 * FIRST_SLOTS);
  /** 0 for an empty slot: no block is at the beginning, where the header is. */
  private offsets = new Uint32Array(FIRST_SLOTS);
  private readonly place = randomInt(4, CID_BYTES - 8 + 1);

  get size(): number {
    return this.used;
  }

  /** @param offset greater than 0, less than 2^32 */
  add(cid: Uint8Array, offset: number): void {
    const [high, low] = this.keyOf(cid);
    const slot = this.slotOf(high, low);
    if (this.offsets[slot] !== 0) return;
    this.fill(slot, high, low, offset);
    this.used += 1;
    if (this.used > this.slots * FULL) this.grow();
  }

  /** The offset; undefined where there is no such block. */
  find(cid: Uint8Array): number | undefined {
    const offset = this.offsets[this.slotOf(...this.keyOf(cid))];
    return offset === 0 ? undefined : offset;
  }

  private keyOf(cid: Uint8Array): [number, number] {
    return [uint32(cid, this.place), uint32(cid, this.place + 4)];
  }

  /** The slot of the key, or the empty one where it belongs. */
  private slotOf(high: number, low: number): number {
    let slot = high % this.slots;
    while (this.offsets[slot] !== 0 && (this.keys[2 * slot] !== high || this.keys[2 * slot + 1] !== low)) {
      slot = (slot + 1) % this.slots;
    }
    return slot;
  }

  private fill(slot: number, high: number, low: number, offset: number): void {
    this.keys[2 * slot] = high;
    this.keys[2 * slot + 1] = low;
    this.offsets[slot] = offset;
  }

  private grow(): void {
    const { keys, offsets } = this;
    this.slots *= 2;
    this.keys = new Uint32Array(2 * this.slots);
    this.offsets = new Uint32Array(this.slots);
    for (const [slot, offset] of offsets.entries()) {
      if (offset === 0) continue;
      const [high = 0, low = 0] = keys.subarray(2 * slot, 2 * slot + 2);
      this.fill(this.slotOf(high, low), high, low, offset);
    }
  }
}

const uint32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>>
  0;
