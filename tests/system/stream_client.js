// A WebSocket client of the stream, as a browser is one: node's own. Prints each text that arrives,
// then why it was closed. usage: node --experimental-websocket stream_client.js URL
const ws = new WebSocket(process.argv[2]);
ws.onmessage = (message) => console.log(message.data);
ws.onclose = (close) => console.log(`closed ${close.code} ${close.reason}`);
ws.onerror = () => console.log('refused');
