// Runs the program against telegram-test-api, a Bot API server that was written by others: a
// command, a button press and a picture. Prints TAP. See docs/telegram-test-api.md.
//   node run.js FOLDER_OF_node_modules BINARY
'use strict';
const assert = require('assert');
const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');

const [modules, binary] = process.argv.slice(2).map((p) => path.resolve(p));
const TelegramServer = require(path.join(modules, 'node_modules', 'telegram-test-api'));
const TOKEN = '123456789:TEST-token_0123456789abcdefghijk';
const ALICE = 1001;
const EVE = 6666;
const WAIT_MS = 60000;

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function until(what, condition) {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    const found = condition();
    if (found) return found;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`not seen: ${what}`);
}

class Run {
  async open() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nightdesk-test-api-'));
    this.requests = []; // {method, type, length}
    const port = await freePort();
    this.server = new TelegramServer({ port, host: '127.0.0.1', storage: 'RAM', storeTimeout: 600 });
    const app = this.server.webServer;
    const handle = app.handle.bind(app);
    app.handle = (req, ...rest) => {
      this.requests.push({ url: req.url, method: req.url.split('/')[2], type: req.headers['content-type'] });
      return handle(req, ...rest);
    };
    await this.server.start();
    const config = path.join(this.dir, 'nightdesk.yaml');
    fs.writeFileSync(config, [
      'telegram:', `  bot_token: "${TOKEN}"`, `  api_url: http://127.0.0.1:${port}`,
      '  users:',
      `    - {id: ${ALICE}, name: alice, role: admin, emergency: true}`,
      `state: {dir: ${this.dir}}`, 'market: {speed: 3600}',
      `api: {port: 0}`, ''].join('\n'), { mode: 0o600 });
    const log = fs.openSync(path.join(this.dir, 'log'), 'w');
    this.child = spawn(binary, ['run', '--config', config], { stdio: ['ignore', log, log] });
    this.exited = new Promise((resolve) => { this.child.on('exit', resolve); });
  }

  async say(from, text) {
    const user = { id: from, is_bot: false, first_name: 'somebody' };
    await this.server.addUserMessage({
      botToken: TOKEN, from: user, chat: { id: from, type: 'private', first_name: 'somebody' },
      date: Math.floor(Date.now() / 1000), text });
  }

  sent(text) {
    return this.server.storage.botMessages.find((m) => String(m.message.text).includes(text));
  }

  async press(message, label) {
    const button = message.message.reply_markup.inline_keyboard.flat()
      .find((b) => b.text === label);
    assert.ok(button, `no button ${label}`);
    await this.server.addUserCallback({
      botToken: TOKEN, from: { id: ALICE, is_bot: false, first_name: 'somebody' },
      message: { message_id: message.messageId, date: Math.floor(message.time / 1000),
        chat: { id: ALICE, type: 'private', first_name: 'somebody' } },
      data: button.callback_data });
  }

  called(method) {
    return this.requests.filter((r) => r.method === method);
  }

  async close() {
    this.child.kill('SIGTERM');
    const code = await this.exited;
    await this.server.stop();
    return code;
  }
}

let count = 0;
async function check(what, body) {
  await body();
  count += 1;
  console.log(`ok ${count} - telegram-test-api: ${what}`);
}

async function main() {
  const run = new Run();
  await run.open();
  try {
    await check('/status is answered with the account', async () => {
      await run.say(EVE, '/status');
      await run.say(ALICE, '/status');
      const status = await until('/status', () => run.sent('Market time'));
      assert.strictEqual(Number(status.message.chat_id), ALICE);
      assert.strictEqual(status.message.parse_mode, 'HTML');
      assert.strictEqual(status.message.protect_content, true);
      assert.ok(status.message.link_preview_options.is_disabled);
    });
    await check('an unauthorised user gets no answer', async () => {
      assert.ok(!run.server.storage.botMessages.some((m) => Number(m.message.chat_id) === EVE));
    });
    await check('a confirmation is answered with its button, once', async () => {
      await run.say(ALICE, '/maintenance');
      const prompt = await until('a prompt', () => run.sent('Confirm: maintenance'));
      await run.press(prompt, 'Confirm');
      await until('the result', () => run.server.storage.botMessages.find((m) =>
        m.messageId === prompt.messageId && !String(m.message.text).includes('Confirm:')));
      await until('an answer to the press', () => run.called('answerCallbackQuery').length > 0);
    });
    await check('a picture is sent as a photo, as multipart/form-data', async () => {
      let asked = 0; // until the first candles have closed there is nothing to draw
      const photo = await until('a photo', () => {
        if (Date.now() - asked > 5000) {
          asked = Date.now();
          run.say(ALICE, '/chart 1');
        }
        return run.called('sendPhoto')[0];
      });
      assert.match(photo.type, /^multipart\/form-data; boundary=/);
    });
    await check('polling goes on after methods that the server does not know', async () => {
      const before = run.called('getUpdates').length;
      await until('more polls', () => run.called('getUpdates').length > before + 2);
      await until('the photo once more', () => run.called('sendPhoto').length > 1);
    });
    await check('no token in the log, and a clean stop', async () => {
      assert.strictEqual(await run.close(), 0);
      assert.ok(!fs.readFileSync(path.join(run.dir, 'log'), 'utf8').includes(TOKEN.slice(11)));
    });
    console.log(`1..${count}`);
    console.log(`# called: ${[...new Set(run.requests.map((r) => r.method))].sort().join(' ')}`);
    fs.rmSync(run.dir, { recursive: true });
  } catch (error) {
    console.log(`not ok ${count + 1} - telegram-test-api: ${error.message}`);
    console.log(`1..${count + 1}\n# kept: ${run.dir}`);
    run.child.kill('SIGKILL');
    await run.server.stop();
    process.exitCode = 1;
  }
}

main();
