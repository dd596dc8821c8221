import { recordSourceContract } from '../../../lib/testing/index.js';
import { brokenRecordSources } from '../../support/inbound/broken-record-sources.js';
import { MemoryService } from '../../support/inbound/memory-service.js';
import { MemorySource } from '../../support/inbound/memory-source.js';
import { subjectOf } from '../../support/inbound/subject.js';

const contract = recordSourceContract();

describe('the contract of record sources', () => {
  test.each(contract)('holds for a source in memory: $name', async (one) => {
    await one.run(async () => {
      const service = new MemoryService();
      return subjectOf(service, service, new MemorySource(service));
    });
  });

  test.concurrent.each(brokenRecordSources)('notices a source that $breaks', async ({ source, fails }) => {
    const [one, ...others] = contract.filter(({ name }) => name.includes(fails));

    expect(others).toEqual([]);
    await expect(
      one?.run(async () => {
        const service = new MemoryService();
        return subjectOf(service, service, source(service));
      }),
    ).rejects.toThrow(/\w/);
  });

  test('every case has a source that it notices', () => {
    const unnoticed = contract.filter(
      ({ name }) => !brokenRecordSources.some(({ fails }) => name.includes(fails)),
    );

    expect(unnoticed.map(({ name }) => name)).toEqual([]);
  });
});
