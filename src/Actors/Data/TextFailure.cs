namespace Streaming.Actors;

/// <summary>How the run's outcome tells a failure of the text path.</summary>
internal static class TextFailure
{
    /// <param name="failure">What the text path failed with.</param>
    /// <param name="begun">Whether a step had been taken: a text that cannot be read at all is wrong usage.</param>
    /// <param name="kept">Where the steps up to then are.</param>
    /// <param name="returns">How often the run had started again from its last checkpoint because of it.</param>
    public static RunOutcome.Failed Outcome(Exception failure, bool begun, string kept, int returns = 0)
    {
        var kind = FailureTable.KindOfText(failure);
        var code = FailureTable.RowOf(kind).ExitCode;
        var again = returns == 0 ? "" : $" (and again after {returns} returns to the last checkpoint)";
        return kind switch
        {
            // The sentence names the file and the remedy.
            FailureKind.DamagedFile => new(begun ? $"{failure.Message.TrimEnd('.')}; {kept}" : failure.Message, begun ? code : ExitCodes.WrongUsage, null),
            FailureKind.SourceOutage => new($"{failure.Message.TrimEnd('.')}{again}; {kept}", code, null),
            _ => new($"the text path failed: {failure.FirstLine()}{again}; {kept}", code, failure),
        };
    }
}
