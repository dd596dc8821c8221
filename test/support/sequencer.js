import Sequencer from '@jest/test-sequencer';

const isLong = ({ path }) => /\/test\/(kill|swarm|property)\//.test(path);

/**
 * Jest runs large files first until it knows how long each takes. The random tests take minutes and their files are
 * the smallest: they would be left over when every other worker has nothing to do any more.
 */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = Sequencer.prototype.sort.call(this, tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
}
