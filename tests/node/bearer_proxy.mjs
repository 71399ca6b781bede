// Adds a bearer token to every request, for clients that cannot send one, and changes nothing else.
//
//     node bearer_proxy.mjs PORT_OF_THE_SERVER TOKEN      prints its own port
import http from 'node:http';

const [port, token] = process.argv.slice(2);
const proxy = http.createServer((from, to) => {
  const headers = { ...from.headers, authorization: `Bearer ${token}` };
  const request = http.request(
    { host: '127.0.0.1', port, method: from.method, path: from.url, headers, setHost: false },
    (answer) => {
      to.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(to);
    },
  );
  request.on('error', () => to.destroy());
  from.pipe(request);
});
proxy.listen(0, '127.0.0.1', () => console.log(proxy.address().port));
