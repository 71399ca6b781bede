// Runs audits against @copilotkit/aimock, a server of the Messages API that was written by others.
// Prints TAP. See docs/aimock.md.
//   node run.js FOLDER_OF_node_modules BINARY
'use strict';
const assert = require('assert');
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const [modules, binary] = process.argv.slice(2).map((p) => path.resolve(p));
const { LLMock } = require(path.join(modules, 'node_modules', '@copilotkit', 'aimock'));
const KEY = 'sk-ant-aimock-0123456789';
const MODEL = 'claude-sonnet-5-5';
const USAGE = { input_tokens: 1000, output_tokens: 340 }; // it sends no figures of the cache
const RULES = 'You are the auditor of nightdesk';

class Run {
  async open() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nightdesk-aimock-'));
    this.mock = new LLMock({ port: 0, host: '127.0.0.1' });
    await this.mock.start();
    this.configure('5');
    // Databases, from a daemon that ends with its input.
    await this.call(['run'], '');
  }

  configure(budget) {
    this.config = path.join(this.dir, 'nightdesk.yaml');
    fs.writeFileSync(this.config, [
      'claude:', `  api_key: "${KEY}"`, `  api_url: ${this.mock.url}`, `  model: ${MODEL}`,
      `  daily_budget: "${budget}"`,
      `state: {dir: ${this.dir}/state}`, 'api: {port: 0}', ''].join('\n'), { mode: 0o600 });
  }

  call(words, input) {
    return new Promise((resolve) => {
      const child = spawn(binary, [...words, '--config', this.config]);
      const out = { stdout: '', stderr: '' };
      child.stdout.on('data', (data) => { out.stdout += data; });
      child.stderr.on('data', (data) => { out.stderr += data; });
      child.on('exit', (code) => resolve({ code, ...out }));
      child.stdin.end(input);
    });
  }

  // One audit; the mock gives the answers in their order.
  async audit(...answers) {
    this.mock.clearFixtures();
    this.mock.resetMatchCounts();
    this.mock.clearRequests();
    answers.forEach((answer, i) => {
      this.mock.on({ systemMessage: RULES, sequenceIndex: i }, answer);
    });
    const run = await this.call(['audit', '--json', '--verbose']);
    assert.ok(!(run.stdout + run.stderr).includes(KEY), 'the key was printed');
    assert.ok(run.stdout.startsWith('{'), run.stdout + run.stderr);
    this.requests = this.mock.getRequests();
    return { code: run.code, data: JSON.parse(run.stdout).data };
  }
}

const text = (content, more) => ({ content, usage: USAGE, ...more });
const failure = (status, type, more) => ({ status, error: { type, message: 'scripted' }, ...more });

let count = 0;
async function check(what, body) {
  await body();
  count += 1;
  console.log(`ok ${count} - aimock: ${what}`);
}

async function main() {
  const run = new Run();
  await run.open();
  try {
    await check('an empty list is a verdict; tokens and cost are read', async () => {
      const { data, code } = await run.audit(text('{"findings":[]}', { reasoning: 'let me see' }));
      assert.strictEqual(data.model_took_part, true);
      assert.notStrictEqual(code, 3);
      assert.strictEqual(data.tokens_in, 1000);
      assert.strictEqual(data.tokens_out, 340);
    });
    await check('the request: version, key, rules and report, no sampling', async () => {
      assert.strictEqual(run.requests.length, 1);
      const [{ path: target, headers, body }] = run.requests;
      assert.strictEqual(target, '/v1/messages');
      assert.strictEqual(headers['anthropic-version'], '2026-10-21');
      assert.ok('x-api-key' in headers);
      assert.strictEqual(body.model, MODEL);
      assert.strictEqual(body.messages[0].role, 'system');
      assert.ok(JSON.stringify(body.messages[1]).includes('<untrusted_data>'));
      for (const name of ['temperature', 'top_p', 'top_k']) {
        assert.strictEqual(body[name], undefined);
      }
      assert.ok(!JSON.stringify(body).includes(KEY));
    });
    await check('a finding with a true figure is kept, one with a wrong figure is rejected', async () => {
      const finding = (subject, hours) => ({
        type: 'pattern', severity: 'low', subject, problem: 'odd', title: `The period of ${subject}`,
        description: 'It is what it is.', recommendation: 'Look at it.',
        evidence: [{ pointer: '/meta/hours', value: hours }],
      });
      const { data } = await run.audit(text(JSON.stringify(
        { findings: [finding('bot', 24), finding('BTC-USD', 25)] })));
      assert.strictEqual(data.claimed, 2);
      assert.strictEqual(data.rejected, 1);
    });
    await check('a truncated answer is asked for once more, then it is no verdict', async () => {
      const cut = text('{"findings":[{"ty', { finishReason: 'length' });
      const { data, code } = await run.audit(cut, cut);
      assert.strictEqual(data.verdict, 'no_verdict');
      assert.strictEqual(code, 3);
      assert.match(data.model_note, /CLAUDE_TRUNCATED/);
      assert.strictEqual(run.requests.length, 2);
      assert.strictEqual(run.requests[1].body.max_tokens, 2 * run.requests[0].body.max_tokens);
    });
    await check('a refusal and a call of a tool are no verdict', async () => {
      let { data } = await run.audit(text('I would rather not.', { finishReason: 'refusal' }));
      assert.match(data.model_note, /CLAUDE_REFUSED/);
      ({ data } = await run.audit({ toolCalls: [{ name: 'x', arguments: '{}' }] }));
      assert.match(data.model_note, /CLAUDE_EMPTY/);
    });
    await check('429 and 529 are retried, after the time that the server asks for', async () => {
      const begun = Date.now();
      const { data } = await run.audit(failure(429, 'rate_limit_error', { retryAfter: 1 }),
        failure(529, 'overloaded_error'), text('{"findings":[]}'));
      assert.strictEqual(data.model_took_part, true);
      assert.strictEqual(run.requests.length, 3);
      assert.ok(Date.now() - begun >= 1000);
    });
    await check('a wrong key is not retried', async () => {
      const { data, code } = await run.audit(failure(401, 'authentication_error'));
      assert.match(data.model_note, /CLAUDE_KEY/);
      assert.strictEqual(code, 3);
      assert.strictEqual(run.requests.length, 1);
    });
    await check('what a server that knows no such request answers is no verdict', async () => {
      const { data } = await run.audit();
      assert.match(data.model_note, /CLAUDE_MODEL/);
    });
    await check('the report has calls, errors, times and cost of all of that', async () => {
      const { data } = await run.audit(text('{"findings":[]}'));
      const { model } = data.report;
      assert.ok(model.calls >= 10, JSON.stringify(model));
      assert.ok(model.error_rate.k >= 7);
      assert.ok(model.cost_usd > 0.01 && model.cost_usd < 0.1);
      assert.ok(model.p95_s > 0);
      assert.strictEqual(model.errors.CLAUDE_TRUNCATED.count, 2);
      assert.strictEqual(model.stop_reasons.refusal.count, 1);
    });
    await check('over the daily budget, of another process too, nothing is sent', async () => {
      run.configure('0.01');
      const { data, code } = await run.audit(text('{"findings":[]}'));
      assert.match(data.model_note, /CLAUDE_BUDGET/);
      assert.strictEqual(code, 3);
      assert.strictEqual(run.requests.length, 0);
    });
    console.log(`1..${count}`);
    fs.rmSync(run.dir, { recursive: true });
  } catch (error) {
    console.log(`not ok ${count + 1} - aimock: ${error.message}`);
    console.log(`1..${count + 1}\n# kept: ${run.dir}`);
    process.exitCode = 1;
  }
  await run.mock.stop();
}

main();
