// A WHEP server before janus: node whep.mjs MODULE JANUS_PORT PORT TOKEN
const [module, janusPort, port, token] = process.argv.slice(2)
const { JanusWhepServer } = await import(module)
const server = new JanusWhepServer({
  janus: { address: `ws://127.0.0.1:${janusPort}` },
  rest: { port: Number(port), basePath: '/whep' },
  strictETags: true
})
await server.start()
server.multistream = false // this janus (1.1.2) makes the offers itself; the server takes it for a newer one
server.createEndpoint({ id: 'room', mountpoint: 1, token })
console.log('ready')
