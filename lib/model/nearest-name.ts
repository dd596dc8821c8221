/** The name that a misspelled one was probably meant to be; undefined where none is near. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const slips = slipsBetween(plain(given), plain(name));
    if (slips < least && slips <= (name.length < 6 ? 1 : 2)) [nearest, least] = [name, slips];
  }
  return nearest;
}

const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();

/**
 * Counts characters that are missing, added, wrong, or swapped with the next one (optimal string alignment).
 */
function slipsBetween(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, index) => index)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= one.length; row++) {
    const values = (rows[row] = [row]);
    for (let column = 1; column <= other.length; column++) {
      const isSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      values[column] = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (one[row - 1] === other[column - 1] ? 0 : 1),
        isSwapped ? at(row - 2, column - 2) + 1 : Infinity,
      );
    }
  }
  return at(one.length, other.length);
}
