using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Tests.Runs;

public sealed class ResolvedConfigurationSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("resolved-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_configuration_of_ones_own_in_the_runs_folder_is_not_overwritten()
    {
        var own = Path.Combine(_folder, "config.hocon");
        File.WriteAllText(own, "streaming.training.max-steps = 3 # mine\n");
        var refusal = Assert.Throws<UserErrorException>(() => ResolvedConfiguration.RequireOwn(_folder));
        Assert.Contains("holds a config.hocon of your own, which the run would overwrite", Assert.Single(refusal.Sentences), StringComparison.Ordinal);
        Assert.Equal("streaming.training.max-steps = 3 # mine\n", File.ReadAllText(own));
    }

    [Fact]
    public void What_a_run_has_resolved_is_its_own_and_goes_on_with_it()
    {
        var settings = SettingsLoader.Load(null, [new Assignment("training.max-steps=3")], _ => null);
        var written = new ResolvedConfiguration(settings);
        written.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 3, null));
        ResolvedConfiguration.RequireOwn(_folder);
        Assert.Equal(3, SettingsLoader.Load(Path.Combine(_folder, "config.hocon"), [], _ => null).Get(Keys.MaxSteps));
        written.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 3, null));
    }
}
