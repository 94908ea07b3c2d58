using Limbeck.Checkpoints;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;

namespace Limbeck.Benchmarks;

internal static class Program
{
    private static int Main(string[] args)
    {
        try
        {
            return Run(args);
        }
        catch (Exception e) when (e is ArgumentException or PeerException or FileNotFoundException or DirectoryNotFoundException or UsageException or DataException or CheckpointException)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    private static int Run(string[] args)
    {
        string verb = args.Length > 0 ? args[0] : "";
        string[] rest = args.Length > 0 ? args[1..] : args;
        switch (verb)
        {
            case "gemm":
                return GemmBenchmark.Run(rest);
            case "attention":
                return AttentionBenchmark.Run(rest);
            case "elementwise":
                return ElementwiseBenchmark.Run(rest);
            case "peak":
                return PeakBenchmark.Run(rest);
            case "encoder" or "train":
                return ModelBenchmark.Run(args);
            case "precision":
                return PrecisionBenchmark.Run(rest);
            case "general":
                return DistillationBenchmark.General(rest);
            case "cell":
                return ResultCells.Run(rest);
            case "results":
                return ResultCells.Render(rest);
            case "peers":
                return PeersBenchmark.Run(rest);
            default:
                Console.Error.WriteLine($"""
                    Unknown benchmark '{verb}'. Known:
                      gemm [--threads N] [--filter TEXT] [--shape ROWSxINxOUT] [--seconds S] [--precision fp32|bf16]   matrix products against the peak of the same run
                      attention [--threads N] [--filter MODEL] [--lengths N,N] [--seconds S]   packed attention, forward and backward
                      elementwise                                        GELU, softmax, layer norm, dropout, AdamW: ns per element
                      encoder | train [--threads N] [--models tiny4,base] [--batch N] [--length N] [--precision fp32|bf16]   whole models
                      precision [--threads N] [--models tiny4,base] [--rounds N]   bf16 against float32, alternating
                      general [--threads N] [--teacher minilm6] [--models tiny3,tiny2] [--precision fp32|bf16]   TinyBERT's general stage: tokens per second, share of the peak
                      cell --row teacher|tinybert|alone --task T --seed N --glue DIR --model DIR --runs DIR [--student S]   trains and scores one cell of docs/results
                      results [FOLDER]                                   renders docs/results
                      peers encoder [--onnx DIR --node-modules DIR] | text --glue DIR --tokenizer DIR | train [--python PROGRAM] | distill --glue DIR --tokenizer DIR --reference DIR   races against ONNX Runtime, PyTorch and TinyBERT's own code
                      peak [--threads N] [--seconds S]                   multiply-add rate per thread count, and memory bandwidth
                    """);
                return 2;
        }
    }
}
