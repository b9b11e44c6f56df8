using System.Text.Json;
using Streaming.Hosting.Tests.Control;

namespace Streaming.Hosting.Tests.Live;

public sealed class RestartSpec
{
    [Fact]
    public async Task The_next_process_knows_the_checkpoint_and_the_evaluations_of_the_one_before()
    {
        var first = new RealRun { KeepsFolder = true, More = ["training.eval-steps=5", "training.save-steps=5"] };
        JsonElement before;
        await using (first)
        {
            await first.InitializeAsync();
            before = JsonDocument.Parse(await first.SeeAsync(status => status.Contains("\"checkpoint\":", StringComparison.Ordinal) && status.Contains("\"evaluation\":", StringComparison.Ordinal))).RootElement;
        }
        await using var second = new RealRun { Folder = first.Folder };
        await second.InitializeAsync();
        var after = JsonDocument.Parse(await second.SeeAsync(status => status.Contains("\"evaluation\":", StringComparison.Ordinal))).RootElement;
        var checkpoint = after.GetProperty("checkpoint");
        Assert.True(checkpoint.GetProperty("step").GetInt64() >= before.GetProperty("checkpoint").GetProperty("step").GetInt64());
        Assert.True(checkpoint.GetProperty("bytes").GetInt64() > 1_000_000);
        Assert.InRange(checkpoint.GetProperty("age_seconds").GetDouble(), 0, 60);
        Assert.Equal(JsonValueKind.Null, checkpoint.GetProperty("seconds").ValueKind);
        Assert.Equal(0, after.GetProperty("evaluation").GetProperty("step").GetInt64() % 5);
        Assert.True(after.GetProperty("evaluation").GetProperty("best_loss").GetDouble() <= before.GetProperty("evaluation").GetProperty("best_loss").GetDouble() + 1e-4); // five digits are kept
        var metrics = await second.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains($"\nstreaming_checkpoint_step {checkpoint.GetProperty("step")}\n", metrics, StringComparison.Ordinal);
    }
}
