// ONNX Runtime as a peer: reads one JSON request a line from standard input, answers one JSON line.
//   {"model": "tiny4", "batches": [[128, 128], [13, 25, 7]]}   runs each batch padded to its longest row; answers {"seconds": s}
// Started by `Limbeck.Benchmarks -- peers`, which sets ONNX_FILES (folder of NAME-fp32.onnx) and THREADS. npm install onnxruntime-node first.
const path = require('path');
const readline = require('readline');
const ort = require('onnxruntime-node');

const sessions = new Map();

async function session(model) {
  if (!sessions.has(model)) {
    sessions.clear();
    sessions.set(model, await ort.InferenceSession.create(path.join(process.env.ONNX_FILES, `${model}-fp32.onnx`), {
      intraOpNumThreads: Number(process.env.THREADS), interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
    }));
  }
  return sessions.get(model);
}

function feeds(lengths) {
  const longest = Math.max(...lengths);
  const size = lengths.length * longest;
  const ids = new BigInt64Array(size);
  const mask = new BigInt64Array(size);
  lengths.forEach((length, row) => {
    for (let i = 0; i < length; i++) {
      ids[row * longest + i] = BigInt(1000 + ((row * 131 + i * 17) % 20000));
      mask[row * longest + i] = 1n;
    }
  });
  const shape = [lengths.length, longest];
  return {
    input_ids: new ort.Tensor('int64', ids, shape),
    attention_mask: new ort.Tensor('int64', mask, shape),
    token_type_ids: new ort.Tensor('int64', new BigInt64Array(size), shape),
  };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const run = await session(request.model);
    const batches = request.batches.map(feeds);
    const start = process.hrtime.bigint();
    for (const batch of batches) {
      await run.run(batch);
    }
    console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - start) / 1e9 }));
  }
}

main().catch((error) => { console.log(JSON.stringify({ error: String(error) })); process.exit(1); });
