using Streaming.Actors;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class ConsoleReportSpec
{
    [Fact]
    public void Without_a_terminal_every_tenth_step_is_a_line_with_the_mean_loss_since_the_last()
    {
        var output = new StringWriter();
        var report = new ConsoleReport(new Screen(output, TextWriter.Null, columns: null), loggingSteps: 10);
        report.Observe(new RunProtocol.Started("/runs/x", "reference, float32, cpu", 1_234_567, 0, 0, 25, null));
        for (var step = 1; step <= 25; step++)
            report.Observe(Step(step, loss: step));
        report.Observe(new TrainerProtocol.EvaluationCompleted(25, Math.Log(8), 4, TimeSpan.FromSeconds(2)));
        report.Observe(new TrainerProtocol.SampleGenerated(25, "日本", "日本の\n\e[31m海"));
        Assert.Equal(
            """
            model: 1.23M parameters; computed by reference, float32, cpu
            run: /runs/x, 25 steps from the beginning
            step 1/25  loss 1.0000  lr 1.00e-03  1,000 tokens/s  2.4s left  gradient norm 0.50
            step 10/25  loss 5.5000  lr 1.00e-03  1,000 tokens/s  1.5s left  gradient norm 0.50
            step 20/25  loss 15.5000  lr 1.00e-03  1,000 tokens/s  0.5s left  gradient norm 0.50
            step 25/25  loss 20.5000  lr 1.00e-03  1,000 tokens/s  0.0s left  gradient norm 0.50
            evaluation after step 25: loss 2.0794, perplexity 8.00 on 4 held-out batches (2.0s)
            sample after step 25: 日本の  [31m海

            """,
            output.ToString());
    }

    private static TrainerProtocol.StepCompleted Step(long step, float loss)
        => new(step, loss, 0.5f, 1e-3, 100, 100 * step, TimeSpan.FromSeconds(0.1), TimeSpan.Zero, 3, Skipped: false);
}
