# SpamAssassin by its own library, a message a line: what benches/lib/spamfilters.py begins.
#
#     perl spamassassin.pl RULES SITE HOME learn|judge      reads "spam|ham PATH" lines
#
# RULES and SITE are the directories of its configuration, HOME is where its Bayes is kept. It learns, or it prints "POINTS PATH" of
# each. One process compiles the rules once, where the command does so for each
# message. It asks nobody (local tests only), and doesn't learn from its own verdicts, so that what it learned is what it was told.
use strict;
use warnings;
use Mail::SpamAssassin;

$| = 1;
my ($rules, $site, $home, $what) = @ARGV;
my $filter = Mail::SpamAssassin->new({
    rules_filename => $rules, site_rules_filename => $site, userprefs_filename => "$home/user_prefs", userstate_dir => $home,
    local_tests_only => 1, dont_copy_prefs => 1,
    post_config_text => "bayes_path $home/bayes\nbayes_auto_learn 0\nbayes_auto_expire 0\nlock_method flock\n",
});
$filter->init(1);
$filter->init_learner({ caller_will_untie => 1, wait_for_lock => 1 }) if $what eq 'learn';
while (my $line = <STDIN>) {
    chomp $line;
    my ($is, $path) = split / /, $line, 2;
    open my $file, '<:raw', $path or die "$path: $!";
    my @lines = <$file>;
    close $file;
    my $message = $filter->parse(\@lines, 1);
    if ($what eq 'learn') {
        $filter->learn($message, undef, $is eq 'spam' ? 1 : 0, 0)->finish();
    } else {
        my $status = $filter->check($message);
        printf "%.3f %s\n", $status->get_score(), $path;
        $status->finish();
    }
    $message->finish();
}
if ($what eq 'learn') {
    $filter->rebuild_learner_caches();
    $filter->finish_learner();
}
$filter->finish();
