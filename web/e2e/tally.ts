// The closing lines that scripts read: what failed and why, how many passed, failed, were skipped.
import type { Reporter, TestModule } from 'vitest/node';

const failureCharsMax = 2000;

/** The last thing in a long log is what somebody sees of it. */
function tellFailure(name: string, errors: readonly { message: string; diff?: string }[]): void {
  for (const { message, diff = '' } of errors)
    console.log(`failed: ${name}: ${message}\n${diff}`.slice(0, failureCharsMax));
}

export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const reasons = new Set<string>();
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        counts[result.state] += 1;
        if (result.state === 'skipped' && result.note) reasons.add(result.note);
        if (result.state === 'failed') tellFailure(test.fullName, result.errors);
      }
    }
    for (const reason of reasons) console.log(`skipped: ${reason}`);
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
