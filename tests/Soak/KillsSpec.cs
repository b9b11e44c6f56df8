using Streaming.Hosting.Commands;
using Streaming.Hosting.Proof;
using Streaming.Hosting.Terminal;
using Streaming.Tests;

namespace Streaming.Soak;

/// <summary>
/// Processes killed at random moments, and nothing lost: <c>streaming prove-resume</c> on a small model. Two hundred:
/// <c>STREAMING_SOAK_KILLS=200 dotnet test tests/Soak --filter Kills</c>.
/// </summary>
public sealed class KillsSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kills-").FullName;

    private bool _isEqual;

    // What differs is looked at.
    public void Dispose()
    {
        if (_isEqual)
            Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Killed_at_random_moments_a_run_ends_as_if_nothing_had_happened()
    {
        var steps = 10 + 6 * SoakLength.Kills; // enough for all kills where steps are faster than the plain run found them
        var model = Path.Combine(_folder, "config.json");
        File.WriteAllText(model, File.ReadAllText(Path.Combine(ReferenceData.RepositoryRoot, "models", "mistral-sample", "config.json")));
        string[] settings =
        [
            "training.save-steps=2", "training.eval-steps=3", "training.eval-batches=1", "data.block-size=16", "training.per-device-train-batch-size=2", $"model.config={model}",
            "data.shuffle-documents=20", "data.duplicates=web", "log.format=json", "log.level=error", .. ProveResumeCommand.Overrides(steps),
        ];
        string[] arguments = [.. settings.SelectMany(setting => new[] { "--set", setting })];
        using var output = new StringWriter();
        var proof = new ResumeProof(new ProofRun(Path.Combine(_folder, "plain"), arguments), new ProofRun(Path.Combine(_folder, "killed"), arguments), steps, new Screen(output, output, null));
        _isEqual = await proof.RunAsync(SoakLength.Kills, seed: 7, TestContext.Current.CancellationToken);
        Assert.True(_isEqual, output.ToString());
        Assert.Equal(SoakLength.Kills, proof.Kills);
        TestContext.Current.SendDiagnosticMessage(output.ToString());
        if (SoakLength.Kills > 10)
            Console.WriteLine(output);
    }
}
