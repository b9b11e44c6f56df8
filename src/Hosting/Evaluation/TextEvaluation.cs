using System.Diagnostics;
using Akka.Actor;
using Akka.Streams;
using Streaming.Actors;
using Streaming.Model.Engines;
using Streaming.Streams;
using Streaming.Streams.Batches;

namespace Streaming.Hosting.Evaluation;

/// <summary>What a model predicts of a text.</summary>
/// <param name="Loss">Mean cross-entropy a token, nats.</param>
/// <param name="Samples">Blocks.</param>
/// <param name="Predictions">Tokens predicted.</param>
internal sealed record TextScore(double Loss, long Samples, long Predictions, TimeSpan Elapsed)
{
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>The loss of a model over a text, computed by the training engine in blocks as in training.</summary>
internal static class TextEvaluation
{
    /// <param name="engine">Holds the model's weights; made on this thread, which alone may call it and therefore waits for the text.</param>
    /// <param name="data">The text.</param>
    /// <param name="split">Held-out text, or all of it.</param>
    /// <param name="most">Batches at most; 0 takes all.</param>
    public static TextScore Run(ITrainingEngine engine, PipelineOptions data, Split split, long most, CancellationToken cancellation)
    {
        using var system = ActorSystem.Create("evaluate", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        using var stream = BatchStream.Start(data, split, system.Materializer());
        var began = Stopwatch.GetTimestamp();
        var (loss, predictions, samples, batches) = (0.0, 0L, 0L, 0L);
        while ((most == 0 || batches < most) && stream.Reader.WaitToReadAsync(cancellation).AsTask().GetAwaiter().GetResult())
        {
            while ((most == 0 || batches < most) && stream.Reader.TryRead(out var batch))
            {
                cancellation.ThrowIfCancellationRequested();
                var micro = batch.ToMicroBatch();
                var counted = micro.WriteLabels(new int[batch.Rows * batch.BlockSize]);
                loss += engine.Evaluate(micro) * (double)counted;
                predictions += counted;
                samples += batch.Rows;
                batches++;
                stream.Recycle(batch);
            }
        }
        return new TextScore(loss / predictions, samples, predictions, Stopwatch.GetElapsedTime(began));
    }
}
