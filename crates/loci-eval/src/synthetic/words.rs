//! Word lists: single lower-case words, no word twice in them all.

/// Adjectives.
pub(super) const ADJECTIVES: &str = "\
    able ample amber ancient ashen autumn awkward balmy bashful bitter blank blazing bleak blunt bold \
    brave breezy brief bright brisk brittle broad bronze bulky busy calm candid careful cheap cheerful \
    chilly civil clean clear clever cloudy clumsy coarse cobalt cold common copper coral cosy crimson \
    crisp crooked crude curious curly cyan damp dapper daring dark deep dense distant dizzy dreary \
    drowsy dry dull dusky dusty eager early earnest easy elastic elderly elegant empty even exact faded \
    faint fair faithful famous fancy fast feeble fierce firm flat fleet floral fluent foggy fond formal \
    fragile frank free fresh friendly frosty frozen frugal fuzzy gaudy gentle giant gifted gilded glad \
    gleaming gloomy glossy golden graceful grand grassy grave greedy grim gritty gruff handy happy hardy \
    harsh hasty hazel hazy hearty heavy hidden hollow honest humble hungry icy idle indigo inland ivory \
    jade jagged jolly joyful keen kind lanky large late lavish lazy lean leafy level light lilac limber \
    lively local lofty lonely loud lucid lucky lunar magenta marble mellow merry mighty mild milky misty \
    modern modest mossy muddy murky muted narrow neat nimble noble noisy northern oaken oblong olive \
    opal orange ornate oval pale patient peaceful perky pine placid plain playful pleasant polite proud \
    purple quaint quick quiet rapid rare ready regal rigid robust rocky rosy rough round royal ruby \
    rugged rural rustic rusty sandy scarlet secret serene shady sharp shiny shy silent silky silver \
    simple sleek sleepy slender slim slow sly smoky smooth snowy sober soft solar solemn solid sparse \
    spicy spiral square stable stark steady steep sterile stern stiff stony stormy stout sturdy subtle \
    sunny supple swift tame tangy tardy tart teal tender tepid thick thin tidy timid tiny tired topaz \
    tranquil trim true twin urban vague vast velvet violet vital vivid wary warm weary western wild \
    windy wintry wise witty wooden woolly yellow young zesty";

/// Things, places, animals.
pub(super) const NOUNS: &str = "\
    acorn alley almond anchor anvil apple apron arch arrow attic badge bagel ball bamboo banjo banner \
    barn barrel basin basket beach beacon beaver bell belt bench berry bicycle birch biscuit blanket \
    boat bonnet book boot bottle boulder bowl bracket branch bread brick bridge broom brush bucket \
    buckle bulb bush button cabin cable cactus camel camera canal candle canoe canvas canyon cape carpet \
    carrot cart castle cave cedar cellar chain chair chalk cheese cherry chest chimney cider circle \
    clarinet cliff clock cloud clover coat coin collar comet compass copse cottage crane crayon creek \
    crown cup curtain daisy deck desk dial diary dish dock dolphin donkey door dove dragon drawer drum \
    duck dune eagle easel echo elm engine falcon farm feather fence fern ferry fiddle field fig flag \
    flask flute forest fork fountain fox frame garden gate gazelle ginger glacier glass globe glove goat \
    goose grape gravel grove guitar hammer hammock harbor hare harp hat hatch hawk hedge helmet heron \
    hill hinge honey hook hoop horn horse hotel hut inlet iris island ivy jacket jar jewel jug kettle \
    key kite kitten knot ladder lagoon lamp lantern lark latch laurel leaf ledge lemon lens letter \
    lighthouse lily lion lizard loaf lobster locket log loom lute magnet mango mantle map maple market \
    marsh mask mast meadow medal melon mill minnow mirror mitten moose mop moth mountain mug museum \
    napkin needle nest net nettle nutmeg oak oar oasis ocean onion orbit orchard orchid otter oven owl \
    oyster paddle palace panther paper parcel parrot path peach pear pearl pebble pelican pencil pepper \
    piano pigeon pillar pillow pilot pipe pitcher plank plate plum pocket pond pony poppy porch poster \
    prism pulley pumpkin puppet quarry quill quilt rabbit radish raft rail rake raven reef ribbon river \
    robin rocket roof root rope rose rudder saddle sail salmon sandal satchel saucer scarf seal seed \
    shell shelf shield ship shoe shovel shrub sleigh slope snail sofa spade sparrow spear spider spoon \
    spruce squirrel stamp star statue steamer stool stove stream street sugar swan sword table \
    tambourine tapestry teapot temple tent thimble thistle thread throne ticket tiger timber tin toast \
    tower trail train tray trumpet trunk tulip tunnel turnip turtle umbrella urn valley vase veil vest \
    village vine violin vulture wagon walnut walrus wand well whale wharf wheel whistle willow window \
    wolf wren yarn zebra";

/// Verbs in their plain form.
pub(super) const VERBS: &str = "\
    accept admire advise agree allow amuse announce answer appear argue arrange arrive attach bake \
    balance bathe beg behave believe blink boast borrow bounce bow breathe build bury buy calculate \
    carry carve celebrate chase chat choose clap climb collect combine compare complain consider cook \
    copy cough count crawl create cross cry dance decide decorate deliver describe dig discover divide \
    doubt draft dream drift drink drive earn eat employ enjoy enter escape examine exchange expand \
    explain explore fasten feed fetch fill find finish fish fold follow forget forgive gather glide \
    greet grind grow guess guide hang harvest heal hide hop hum hunt hurry imagine improve invent invite \
    jog join juggle jump kneel knit knock laugh launch lead learn lend lift listen loan look march \
    measure melt mend mix mow multiply nod notice obey observe obtain offer open order paint pause peel \
    perform pick plan plant play plough polish pour practise praise prepare press promise protect prove \
    pull push read receive recite record refuse remain remember repair repeat reply rescue rest return \
    ride ring rinse rise roar roll row rub run save scatter search sell send settle sew shake share \
    shout sing sit sketch skip sleep slide smile sneeze solve sort speak spell spin splash spread \
    squeeze stack stand start stay steer stir stitch stretch study subtract supply swim swing talk taste \
    teach tease thank think throw tickle tie tiptoe toss trace trade travel trust try turn type unpack \
    untie vanish visit wait wake walk wander warn wash watch wave weave weigh welcome whisper win wink \
    wonder work wrap write yawn";

/// A list's words.
pub(super) fn words(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn hundreds_of_words_and_none_twice() {
        let all: Vec<&str> = [ADJECTIVES, NOUNS, VERBS].into_iter().flat_map(words).collect();
        assert!([ADJECTIVES, NOUNS, VERBS].iter().all(|list| words(list).len() > 200));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|word| word.chars().all(|character| character.is_ascii_lowercase())));
    }
}
