/** The names of the classes whose entries this process leaves to others. */
export class LeftClasses {
  private readonly names = new Set<string>();

  /** @returns false if they are left already */
  leave(name: string): boolean {
    if (this.names.has(name)) return false;
    this.names.add(name);
    return true;
  }

  /** The parameters of statements that leave these classes out; empty while there are none. */
  get parameters(): readonly string[] {
    return this.names.size === 0 ? [] : [JSON.stringify([...this.names].map((name) => ({ name })))];
  }
}
