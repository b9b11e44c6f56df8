namespace Streaming.Actors.Tests.Runs;

public sealed class RunChecksSpec
{
    [Fact]
    public void A_disk_without_room_for_a_checkpoint_is_told_before_anything_is_touched()
    {
        var root = Directory.CreateTempSubdirectory("room").FullName;
        try
        {
            var options = TinyRun.Options(Path.Combine(root, "runs", "new"), maxSteps: 1);
            var parameters = Streaming.Model.Parameters.ModelParameter.Of(options.Model).Sum(parameter => parameter.Count);
            string? asked = null;
            var refusal = Assert.Throws<RunRefusedException>(() => RunChecks.RequireRoom(options, folder =>
            {
                asked = folder;
                return 12 * parameters - 1;
            }));
            Assert.Equal(root, asked); // the folder itself is yet to be made
            Assert.Contains($"free in {root}: make room there, or set run.directory", refusal.Message, StringComparison.Ordinal);
            RunChecks.RequireRoom(options, _ => 12 * parameters);
            RunChecks.RequireRoom(options, _ => null);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
