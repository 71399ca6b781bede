#include "fakes/stump_model.h"

#include "agents/features.h"
#include "agents/training.h"

void stump_model(double under, double over, struct buf *out)
{
    stump_model_on(FEATURE_BASE_RSI14, 50, under, over, out);
}

void stump_model_on(enum feature feature, double at, double under, double over, struct buf *out)
{
    size_t count = feature < FEATURE_COUNT ? FEATURE_COUNT : FEATURES_MAX;
    char hash[FEATURES_HASH_SIZE];
    features_hash(count, hash);
    buf_addf(out,
             "{\"learner\":{\"attributes\":{\"%s\":\"%s\",\"%s\":\"5m\",\"%s\":\"3\"},"
             "\"feature_names\":[],\"feature_types\":[],\"gradient_booster\":{\"model\":{"
             "\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"1\","
             "\"size_leaf_vector\":\"0\"},\"tree_info\":[0],\"trees\":[{",
             TRAINING_KEY_FEATURES, hash, TRAINING_KEY_TIMEFRAME, TRAINING_KEY_HORIZON);
    buf_addf(out,
             "\"base_weights\":[0,%g,%g],\"categories\":[],\"categories_nodes\":[],"
             "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[1,0,0],"
             "\"id\":0,\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],"
             "\"loss_changes\":[1,0,0],\"parents\":[2147483647,0,0],"
             "\"split_conditions\":[%g,%g,%g],\"split_indices\":[%d,0,0],\"split_type\":[0,0,0],"
             "\"sum_hessian\":[2,1,1],\"tree_param\":{\"num_deleted\":\"0\","
             "\"num_feature\":\"%zu\",\"num_nodes\":\"3\",\"size_leaf_vector\":\"0\"}}]},"
             "\"name\":\"gbtree\"},",
             under, over, at, under, over, feature, count);
    buf_addf(out,
             "\"learner_model_param\":{\"base_score\":\"5E-1\",\"boost_from_average\":\"0\","
             "\"num_class\":\"0\",\"num_feature\":\"%zu\",\"num_target\":\"1\"},\"objective\":{"
             "\"name\":\"binary:logistic\",\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}},"
             "\"version\":[1,7,4]}\n",
             count);
}
